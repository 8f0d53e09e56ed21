"""Runs in a baked project's own Python, one measurement a process; prints seconds of CPU as JSON.

CPU time, because no measurement waits for anything, and other processes disturb it less.

usage: discovery_probe.py libraries|application|imports|worker PACKAGE [MODULE…]
"""

import importlib
import json
import sys
import time
from collections.abc import Callable
from types import ModuleType


def seconds(function: Callable[[], object]) -> float:
    start = time.process_time()
    function()
    return time.process_time() - start


def import_all(names: list[str]) -> None:
    for name in names:
        importlib.import_module(name)


def libraries(package: str, _names: list[str]) -> list[str]:
    """Return the modules of other projects that importing the app imports."""
    importlib.import_module(package)
    ignored = {package, "__main__", *sys.stdlib_module_names}
    modules = [name for name, module in sys.modules.items() if isinstance(module, ModuleType)]
    return [name for name in modules if name.partition(".")[0] not in ignored]


def application(package: str, names: list[str]) -> dict[str, float]:
    """Measure the import of the app. `names` are the libraries, whose import does not count."""
    import_all(names)
    return {"application": seconds(lambda: importlib.import_module(package))}


def imports(package: str, names: list[str]) -> dict[str, float]:
    """Measure the bare import of the task modules, then the registration of their tasks by Celery."""
    app = configured_app(package)
    return {"imports": seconds(lambda: import_all(names)), "finalize": seconds(app.finalize)}


def worker(package: str, _names: list[str]) -> dict[str, float]:
    """Measure what a worker does when it starts, and how much of it is the registration by Celery."""
    app = configured_app(package)
    finalize, spent = app.finalize, []
    app.finalize = lambda *args, **options: spent.append(seconds(lambda: finalize(*args, **options)))
    total = seconds(app.loader.import_default_modules)
    return {"total": total, "finalize": sum(spent)}


def configured_app(package: str):
    """Return the app with its settings read: a worker has read them before it looks for task modules."""
    app = importlib.import_module(package).app
    app.conf.task_queues  # noqa: B018 - the first access reads them
    app.policy  # noqa: B018 - imported by the first access, whatever the number of task modules
    return app


if __name__ == "__main__":
    measurements = {
        "libraries": libraries,
        "application": application,
        "imports": imports,
        "worker": worker,
    }
    measurement, package, *modules = sys.argv[1:]
    print(json.dumps(measurements[measurement](package, modules)))
