"""What a project reads from the environment is what its .env.example names."""

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import COMBINATIONS, combination_id

READERS = {
    *("environment.text", "environment.positive_integer", "environment.required", "environment.names"),
    "environment.flag",
    *("os.environ.get", "os.getenv"),
}
SCHEMES = {"redis": "redis", "rabbitmq": "amqp"}


def variables_read(*parts: Path) -> Iterator[str]:
    """Find the environment variables that modules and packages read, by name or by a constant that holds it."""
    for path in itertools.chain(*([part] if part.is_file() else part.rglob("*.py") for part in parts)):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assigned = [statement for statement in tree.body if isinstance(statement, ast.Assign)]
        constants = {ast.unparse(one.targets[0]): one.value for one in assigned}
        for call in [node for node in ast.walk(tree) if isinstance(node, ast.Call)]:
            reader = ast.unparse(call.func)
            if reader == "dj_database_url.config":
                yield "DATABASE_URL"
            elif reader in READERS and ast.unparse(call.args[0]) != "name":  # a reader's own parameter
                yield ast.literal_eval(constants.get(ast.unparse(call.args[0]), call.args[0]))


@pytest.mark.parametrize("answers", COMBINATIONS, ids=combination_id)
def test_env_example_names_what_is_read_and_sets_nothing(baked, answers):
    project = baked(**answers)
    text = (project.path / ".env.example").read_text(encoding="utf-8")
    assert all(not line or line.startswith("#") for line in text.splitlines())
    shown = re.findall(r"^#([A-Z_]+)=(.*)$", text, flags=re.MULTILINE)
    library = (project.path / "celery_runtime").iterdir()
    parts = [path for path in library if path.name != "testing" and (path.is_dir() or path.suffix == ".py")]
    assert sorted(name for name, _ in shown) == sorted(set(variables_read(project.package, *parts)))
    assert dict(shown)["CELERY_BROKER_URL"].startswith(f"{SCHEMES[answers['broker']]}://")
