"""What is written for each combination of options: these files, whole, and nothing of the template in them."""

import json
import re
import sys
import tomllib
from pathlib import Path

import pexpect
import pytest

from local_extensions import TAKEN
from scripts.baking import LIBRARY, SLUG, TEMPLATE, BakedProject, bake, clean_environment

from .conftest import COMBINATIONS, combination_id
from .repositories import CRUFT, run, template_repository

FILES = {
    ".": ".env.example .gitignore AGENTS.md LICENSE Makefile README.md demo.py pyproject.toml",
    "shop": "__init__.py celery_config.py error_policy.py queues.py results.py schedule.py settings.py",
    "shop/celery_tasks": """README.md __init__.py ex1_try_except.py ex2_custom_task_class.py ex3_auto_retry.py ex4_error_handling_groups.py
        ex5_error_handling_chain.py ex6_dead_letter_queue.py ex7_task_timeouts_revoking.py ex8_linking_result_callbacks.py
        ex9_task_signals_graceful_shutdown_and_cleanup.py ex10_error_tracking_and_monitoring_with_sentry.py
        ex11_task_scheduling.py ex12_task_schedule_customization.py ex13_task_schedule_crontab.py ex14_priorities.py
        ex15_progress.py ex16_bulk.py""",
    "tests": """__init__.py conftest.py tasks.py test_dead_letters.py test_examples.py test_priorities.py test_retries.py
        test_sentry.py""",
}
DJANGO_FILES = {
    ".": "manage.py",
    "shop": "asgi.py urls.py wsgi.py",
    "shop/celery_tasks": "ex17_after_commit.py",
}

ALWAYS = {"celery[redis]", "kombu", "python-dotenv", "structlog"}
DEPENDENCIES = {
    ("django", "redis"): {*ALWAYS, "django", "dj-database-url"},
    ("django", "database"): {*ALWAYS, "django", "dj-database-url", "django-celery-results"},
    ("plain", "redis"): ALWAYS,
    ("plain", "database"): {*ALWAYS, "sqlalchemy"},
}
AWKWARD = {
    "quotes": """Bob's "shop" 'n' `bar`""",
    "three quotes": '''"""shop""" \'\'\'bar\'\'\'''',
    "backslashes": r"C:\new\table\u0041\x",
    "non-ASCII": "Zoë Ωmega 日本 🐇",
    "markup": "<b>&amp; Söhne</b> # $HOME ${PATH} %s",
    "300 characters": "shop," * 60,
}


@pytest.fixture(scope="module", params=COMBINATIONS, ids=combination_id)
def answers(request) -> dict[str, str]:
    return request.param


@pytest.fixture(scope="module")
def project(answers, tmp_path_factory: pytest.TempPathFactory) -> BakedProject:
    """A bake as it was written: the projects that `baked` lends may hold environments and caches."""
    return bake(tmp_path_factory.mktemp("bake"), {"project_slug": "shop", **answers})


def files_of(project: BakedProject) -> dict[str, Path]:
    return {str(path.relative_to(project.path)): path for path in project.path.rglob("*") if path.is_file()}


def pyproject(project: BakedProject) -> dict:
    return tomllib.loads((project.path / "pyproject.toml").read_text(encoding="utf-8"))


def distribution(requirement: str) -> str:
    """Return the name in front of the version, with its extras: `celery[redis]` of `celery[redis]>=5`."""
    return re.match(r"[\w\[\]-]+", requirement)[0]


def library_files(framework: str) -> list[str]:
    """Return the files of the library, which come as they are; what is for Django comes with Django alone."""
    tracked = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", cwd=LIBRARY).split("\0")
    existing = [name for name in tracked if name and (LIBRARY / name).exists()]
    return [f"celery_runtime/{name}" for name in existing if framework == "django" or not name.startswith("django/")]


def test_the_files(project, answers):
    folders = [*FILES.items(), *(DJANGO_FILES.items() if answers["framework"] == "django" else ())]
    expected = [str(Path(folder, name)) for folder, names in folders for name in names.split()]
    expected += library_files(answers["framework"])
    assert sorted(files_of(project)) == sorted(expected)
    written = {str(path.relative_to(project.path)) for path in project.path.rglob("*") if path.is_dir()}
    holding = {Path(name).parent for name in expected}
    assert written == {str(folder) for path in holding for folder in (path, *path.parents)} - {"."}


def test_nothing_of_the_template_is_left(project):
    for name, path in files_of(project).items():
        text = f"{name}\n{path.read_text(encoding='utf-8')}"
        braces = () if name.endswith(".html") else ("{{", "{%", "{#")  # Django's templates have the same
        for trace in (*braces, "_overlays", "cookiecutter"):
            assert trace not in text, f"{trace} in {name}"


def source_of(name: str, answers: dict[str, str]) -> Path:
    """Return the file of the template that this one of the project was made from."""
    framework, result_backend = answers["framework"], answers["result_backend"]
    folders = (".", f"_overlays/{framework}", f"_overlays/{framework}-{result_backend}")
    sources = [TEMPLATE / SLUG / folder / re.sub("^shop/", f"{SLUG}/", name) for folder in folders]
    [source] = [path for path in sources if path.is_file()]
    return source


def test_generated_python_was_written_as_if_no_template_existed(project, answers):
    for name, path in files_of(project).items():
        if not name.endswith(".py"):
            continue
        source = source_of(name, answers).read_bytes()
        if name == "manage.py" or name.startswith("tests/"):  # these must name the package
            source = source.replace(b"{{ cookiecutter.project_slug }}", b"shop")
        assert path.read_bytes() == source, name


def test_the_dependencies(project, answers):
    required = pyproject(project)["project"]["dependencies"]
    expected = DEPENDENCIES[answers["framework"], answers["result_backend"]]
    assert sorted(map(distribution, required)) == sorted(expected)


def test_ruff_leaves_a_file_of_the_library_alone_that_an_editor_or_a_commit_hook_names(project):
    named = project.path / "celery_runtime" / "badly_formatted.py"
    named.write_text("import os\nx = {  'a' :1 }\n")
    try:
        for command in (("check",), ("format", "--check")):
            project.run(sys.executable, "-m", "ruff", *command, "--no-cache", str(named), check=True)
    finally:
        named.unlink()


def test_no_slug_can_have_the_name_of_a_dependency(project):
    written = pyproject(project)
    required = [*written["project"]["dependencies"], *written["dependency-groups"]["dev"]]
    names = {distribution(requirement).partition("[")[0].replace("-", "_") for requirement in required}
    assert names <= TAKEN


def test_the_readme_tells_how_to_see_it_run(project):
    assert "make demo" in (project.path / "README.md").read_text(encoding="utf-8")


def test_the_same_answers_give_the_same_project(project, answers, tmp_path):
    first, second = (
        {name: (path.stat().st_mode, path.read_bytes()) for name, path in files_of(one).items()}
        for one in (project, bake(tmp_path, {"project_slug": "shop", **answers}))
    )
    assert first == second


@pytest.mark.parametrize("framework", ["django", "plain"])
@pytest.mark.parametrize("awkward", AWKWARD)
def test_awkward_answers_survive(awkward, framework, tmp_path):
    text = AWKWARD[awkward]
    told = {"project_name": text, "description": text, "author_name": text}
    project = bake(tmp_path, {"project_slug": "shop", "framework": framework, **told})
    written = pyproject(project)["project"]
    assert (written["description"], written["authors"]) == (text, [{"name": text}])
    assert text in (project.path / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("license", "titles"),
    {"MIT": ["MIT License"], "BSD-3-Clause": ["BSD 3-Clause License"], "proprietary": []}.items(),
)
def test_the_license(license, titles, tmp_path):
    project = bake(tmp_path, {"project_slug": "shop", "license": license})
    texts = [path.read_text() for name, path in files_of(project).items() if "license" in name.lower()]
    assert [text.splitlines()[0] for text in texts] == titles
    assert pyproject(project)["project"].get("license") == (license if titles else None)


WRITE_DOWN = """
import os, sys

def write_down(event, arguments):
    if event in ("subprocess.Popen", "os.system", "os.exec", "socket.connect", "socket.getaddrinfo"):
        with open(os.environ["WRITTEN_DOWN"], "a") as file:
            print(event, *map(str, arguments[1] if event == "subprocess.Popen" else arguments), file=file)

sys.addaudithook(write_down)
"""


def test_the_next_steps_are_printed_and_nothing_else_is_done(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(WRITE_DOWN)  # Python imports it first, in the hooks too
    written_down = tmp_path / "written down"
    command = (sys.executable, "-m", "cookiecutter", str(TEMPLATE), "--no-input", "--default-config")
    printed = run(*command, cwd=tmp_path, PYTHONPATH=str(tmp_path), WRITTEN_DOWN=str(written_down))
    steps = [line.split("   ")[0].strip() for line in printed.strip().splitlines()]
    assert steps == ["Next:", "cd shop", "make demo", "make worker", "make test"]
    before, after = written_down.read_text().splitlines()  # the two hooks
    assert all(line.startswith(f"subprocess.Popen {sys.executable} ") for line in (before, after))
    assert not list(tmp_path.rglob(".git"))


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template_repository(tmp_path_factory.mktemp("repository"))


@pytest.mark.parametrize("framework", ["django", "plain"])
def test_cruft_creates_it_and_finds_nothing_to_update(framework, repository, tmp_path):
    context = json.dumps({"project_slug": "shop", "framework": framework})
    command = (*CRUFT, "create", str(repository), "--no-input", "--extra-context", context)
    assert run(*command, cwd=tmp_path).startswith("\nNext:\n")
    created = BakedProject(tmp_path / "shop", "shop")
    expected = files_of(bake(tmp_path / "baked", {"project_slug": "shop", "framework": framework}))
    assert sorted(files_of(created)) == sorted([*expected, ".cruft.json"])
    assert "up to date" in run(*CRUFT, "check", cwd=created.path)
    assert run(*CRUFT, "diff", "--exit-code", cwd=created.path) == ""


def test_cruft_can_be_left_at_the_second_question_for_the_slug(repository, tmp_path):
    command = [*CRUFT[1:], "create", str(repository), "--output-dir", str(tmp_path / "output")]
    terminal = pexpect.spawn(CRUFT[0], command, env=clean_environment(HOME=str(tmp_path)), encoding="utf-8")
    for question, answer in (("Name of the project", ""), ("Name of the Python", "my-shop")):
        terminal.expect_exact(question)
        terminal.sendline(answer)
    terminal.expect("error: project_slug 'my-shop'.*Name of the Python package")
    terminal.sendeof()
    terminal.expect(pexpect.EOF)
    assert "Abort" in terminal.before.splitlines()[-1]
    assert "Traceback" not in terminal.before
