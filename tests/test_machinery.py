"""What a baked project does not test itself, because it takes minutes: tests/machinery, run beside its own tests."""

import pytest

from scripts.machinery import FOLDER, copy_tests

pytestmark = pytest.mark.baked

LONGEST = (
    "test_crashes",
    "test_guard",
    "test_shutdown",
    "test_lost_connections",
    "test_long_delays",
    "test_dead_letters",
)
MODULES = sorted(path.stem for path in FOLDER.glob("test_*.py"))
# The longest first: they would end last.
MODULES.sort(key=lambda name: name not in LONGEST)
# Each framework on an embedded broker, which is a Redis, and one of them on RabbitMQ as well.
PROJECTS = {
    "django": {"broker": "redis", "result_backend": "database"},
    "plain": {"broker": "rabbitmq", "result_backend": "redis"},
}


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("framework", PROJECTS)
def test_machinery(baked, framework, module, request, tmp_path):
    if module.endswith("_admin") and framework != "django":
        return
    answers = PROJECTS[framework]
    project = baked(installed=True, framework=framework, **answers)
    given = {}
    if answers["broker"] == "rabbitmq":
        given["TEST_RABBITMQ_URL"] = request.getfixturevalue("rabbitmq_url")
    copy_tests(project, tmp_path)
    done = project.run(
        *(project.python, "-m", "pytest", "-p", "no:cacheprovider", f"tests/{FOLDER.name}/{module}.py"),
        cwd=tmp_path,
        **given,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not given or "TEST_RABBITMQ_URL names no broker" not in done.stdout
