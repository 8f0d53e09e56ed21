"""Promises of discovery and of the selection of task files."""

from .mutation import RUNTIME, Mutation

MUTATIONS = (
    Mutation(
        "task files are discovered",
        f"{RUNTIME}/app.py",
        "self.task_modules.load()",
        "self.task_modules.problems = []",
        "test_discovery",
    ),
    Mutation(
        "the folder comes from the package",
        f"{RUNTIME}/discovery.py",
        "Path(importlib.import_module(parent).__path__[0]).resolve() / name",
        "Path.cwd() / parent / name",
        "test_discovery",
    ),
    Mutation(
        "importing the app imports no task module",
        "celery_config.py",
        'app.config_from_object(f"{__package__}.settings")',
        'app.config_from_object(f"{__package__}.settings")\napp.loader.import_default_modules()',
        "test_discovery",
    ),
    Mutation(
        "natural order",
        f"{RUNTIME}/discovery.py",
        "return [int(part) if part.isdecimal() else part",
        "return [part",
        "test_discovery",
    ),
    Mutation(
        "sub-folders are searched",
        f"{RUNTIME}/discovery.py",
        "_scan_folder(Path(entry.path), root, package, (*parents, name), pattern, found)",
        "continue",
        "test_discovery",
    ),
    Mutation(
        "_private files are left alone",
        f"{RUNTIME}/discovery.py",
        'if name.startswith(("_", ".")):',
        'if name.startswith("."):',
        "test_discovery",
    ),
    Mutation(
        "a broken file keeps the worker from starting",
        f"{RUNTIME}/task_modules.py",
        "if any(problem.fatal for problem in self.problems):",
        "if False:",
        "test_broken_task_files",
    ),
    Mutation(
        "all broken files are named at once",
        f"{RUNTIME}/task_modules.py",
        "            self.problems.extend(self._import(module))",
        "            self.problems.extend(self._import(module))\n            if self.problems: break",
        "test_broken_task_files",
    ),
    Mutation(
        "one task name in two files is refused",
        f"{RUNTIME}/app.py",
        "self.duplicate_task_names.append((name, existing, new))",
        "pass",
        "test_broken_task_files",
    ),
    Mutation(
        "an unknown queue is refused",
        f"{RUNTIME}/task_modules.py",
        "        self.problems.extend(self._wrong_options())\n",
        "",
        "test_broken_task_files",
    ),
    Mutation(
        "an empty folder is a warning",
        f"{RUNTIME}/discovery.py",
        "fatal=False,",
        "fatal=True,",
        "test_discovery or test_broken_task_files",
    ),
    Mutation(
        "what is not selected goes back to the queue",
        f"{RUNTIME}/consumer.py",
        "if not self.app.task_modules.owns_left_out(name):",
        "if True:",
        "test_selection",
    ),
    Mutation(
        "a selection that matches nothing is refused",
        f"{RUNTIME}/discovery.py",
        "if not any(_matches(module, pattern) for module in modules):",
        "if False:",
        "test_selection",
    ),
)
