"""What docs/upgrading.md promises: by cruft, a project of an older template becomes one of this template."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.baking import SLUG, BakedProject, bake

from .repositories import CRUFT, GIT, commit_all, run, template_repository

OLD, NEW = "v1", "v2"  # tags of the template: an older one, and the template as it stands

DELETED = "shop/celery_tasks/ex1_try_except.py"
EDITED = {
    "pyproject.toml": ('version = "0.1.0"', 'version = "0.2.0"'),
    "shop/error_policy.py": ('"application": Retry(attempts=4', '"application": Retry(attempts=9'),
    "shop/queues.py": ("(DEFAULT_QUEUE),\n", '(DEFAULT_QUEUE),\n    priority_queue("mail"),\n'),
    "shop/settings.py": ('default="auto"', "default=2"),
}
SKIP = '\n[tool.cruft]\nskip = ["README.md"]\n'
OWN = {
    "README.md": "# A shop of our own\n",
    "shop/celery_tasks/ex20_own.py": """from shop.celery_config import app


@app.task(queue="mail")
def greet(name: str) -> str:
    return f"Hello, {name}!"
""",
    "tests/test_own.py": """from shop.celery_tasks.ex20_own import greet


def test_greet(worker):
    assert greet.delay("you").get(timeout=10) == "Hello, you!"
""",
}

# For how long results are kept, which the template has changed since.
SETTINGS = "shop/settings.py"
OLD_LINE = "result_expires = 12 * 60 * 60  # seconds\n"
NEW_LINE = "result_expires = 24 * 60 * 60  # seconds\n"
OWN_LINE = "result_expires = 7 * 24 * 60 * 60  # seconds\n"


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, f"{old!r} in {path}"
    path.write_text(text.replace(old, new), encoding="utf-8")


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def make_older(template: Path) -> None:
    """Make of the template one that it could have come from: whole enough to bake, not to run."""
    project, package = template / SLUG, template / SLUG / SLUG
    runtime = project / "celery_runtime"
    append(project / "README.md", "Edited since.\n")
    append(runtime / "app.py", "# Edited since.\n")
    append(package / "celery_tasks" / Path(DELETED).name, "# Edited since.\n")
    (runtime / "obsolete.py").write_text("# Deleted since.\n")
    for added_since in (runtime / "worker/task_process.py", package / "celery_tasks/ex14_priorities.py"):
        added_since.unlink()
    (runtime / "text.py").rename(runtime / "words.py")
    replace(project / "pyproject.toml", '"structlog>=25"', '"structlog>=24"')
    for framework in ("django", "plain"):
        overlay = project / "_overlays" / framework / SLUG
        replace(overlay / "settings.py", "= 24 * 60 * 60  # seconds\n", "= 12 * 60 * 60  # seconds\n")
        append(overlay / "settings.py", "# Edited since.\n")
        shutil.copy(package / "queues.py", overlay)
    (package / "queues.py").unlink()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = template_repository(tmp_path_factory.mktemp("template"))
    make_older(folder)
    commit_all(folder)
    run("git", "tag", OLD, cwd=folder)
    run(*GIT, "revert", "--no-edit", "HEAD", cwd=folder)
    run("git", "tag", NEW, cwd=folder)
    return folder


def answers(framework: str) -> dict[str, str]:
    return {"project_slug": "shop", "framework": framework}


@pytest.fixture
def create(template: Path, tmp_path: Path) -> Callable[..., BakedProject]:
    """Creates a project of the older template, and commits nothing."""

    def create_with_cruft(framework: str = "plain") -> BakedProject:
        told = ("--checkout", OLD, "--no-input", "--extra-context", json.dumps(answers(framework)))
        run(*CRUFT, "create", str(template), *told, cwd=tmp_path)
        return BakedProject(tmp_path / "shop", "shop")

    return create_with_cruft


def edit(project: BakedProject) -> None:
    """Do what its user does with a project."""
    for name, (old, new) in EDITED.items():
        replace(project.path / name, old, new)
    append(project.path / "pyproject.toml", SKIP)
    for name, text in OWN.items():
        (project.path / name).write_text(text)
    (project.path / DELETED).unlink()


def cruft(project: BakedProject, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return project.run(*CRUFT, *arguments, HOME=str(project.path.parent))


def update(project: BakedProject) -> "subprocess.CompletedProcess[str]":
    return cruft(project, "update", "--checkout", NEW, "--skip-apply-ask")


def status(project: BakedProject) -> list[str]:
    return run("git", "status", "--porcelain", cwd=project.path).splitlines()


def files_of(project: BakedProject) -> dict[str, tuple[int, str]]:
    """Return mode and text of each file, without those of git and cruft."""
    return {
        str(path.relative_to(project.path)): (path.stat().st_mode, path.read_text(encoding="utf-8"))
        for path in project.path.rglob("*")
        if path.is_file() and ".git" not in path.parts and path.name != ".cruft.json"
    }


def differing(one: BakedProject, other: BakedProject) -> list[str]:
    first, second = files_of(one), files_of(other)
    return sorted(name for name in {*first, *second} if first.get(name) != second.get(name))


def shown_by_diff(project: BakedProject) -> list[str]:
    lines = cruft(project, "diff").stdout.splitlines()
    return [line.split(" upstream-template-new/")[1] for line in lines if line.startswith("diff --git ")]


@pytest.mark.parametrize("framework", ["django", "plain"])
def test_an_upgraded_project_is_a_new_one_with_its_users_edits(create, framework, tmp_path):
    project = create(framework)
    commit_all(project.path)
    edit(project)
    commit_all(project.path)
    done = update(project)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Next:" not in done.stdout
    expected = bake(tmp_path / "new", answers(framework))
    edit(expected)
    assert differing(project, expected) == []
    assert "up to date" in cruft(project, "check").stdout
    assert shown_by_diff(project) == sorted(EDITED)


@pytest.mark.baked
def test_the_tests_of_an_upgraded_project_pass(create):
    project = create("django")
    project.install()
    (project.path / ".env").write_text("CELERY_TASK_TIME_LIMIT=400\n")
    commit_all(project.path)
    edit(project)
    commit_all(project.path)
    assert ".env" not in run("git", "ls-files", cwd=project.path).split()
    assert update(project).returncode == 0
    done = project.run("make", "test")
    assert done.returncode == 0, done.stdout + done.stderr
    project.celery("tasks", "check", check=True)
    assert "The embedded broker was not running." in project.run("make", "stop", check=True).stdout
    assert (project.path / ".env").read_text() == "CELERY_TASK_TIME_LIMIT=400\n"


def test_a_line_that_both_changed_is_marked_as_a_conflict_and_no_status_tells_of_it(create, tmp_path):
    project = create()
    commit_all(project.path)
    replace(project.path / SETTINGS, OLD_LINE, OWN_LINE)
    commit_all(project.path)
    done = update(project)
    assert done.returncode == 0
    assert "Good work!" in done.stdout
    assert f"Applied patch to '{SETTINGS}' with conflicts." in done.stderr
    assert [line for line in status(project) if "U" in line[:2]] == [f"UU {SETTINGS}"]
    commit = project.run(*GIT, "commit", "-m", "Upgraded")
    assert commit.returncode != 0
    assert "unmerged files" in commit.stderr
    expected = bake(tmp_path / "new", answers("plain"))
    both = f"<<<<<<< ours\n{OWN_LINE}=======\n{NEW_LINE}>>>>>>> theirs\n"
    replace(expected.path / SETTINGS, NEW_LINE, both)
    assert differing(project, expected) == []


def test_a_conflict_with_a_file_that_git_has_not_as_it_was_baked_is_a_rej_file(create, tmp_path):
    project = create()
    replace(project.path / SETTINGS, OLD_LINE, OWN_LINE)
    commit_all(project.path)
    done = update(project)
    assert done.returncode == 0
    assert "*.rej files" in done.stdout
    assert f"error: patch failed: {SETTINGS}" in done.stderr
    rejected = project.path / f"{SETTINGS}.rej"
    assert f"?? {SETTINGS}.rej" in status(project)
    assert f"\n-{OLD_LINE}+{NEW_LINE}" in rejected.read_text()
    rejected.unlink()
    expected = bake(tmp_path / "new", answers("plain"))
    replace(expected.path / SETTINGS, NEW_LINE, OWN_LINE)
    assert differing(project, expected) == []
    run("git", "reset", "--quiet", "--hard", cwd=project.path)
    run("git", "clean", "--quiet", "-d", "--force", cwd=project.path)
    assert status(project) == []


def test_an_edited_file_that_is_deleted_and_a_file_that_both_added_stay_and_only_the_output_tells(create, tmp_path):
    project = create()
    commit_all(project.path)
    own = {
        "celery_runtime/obsolete.py": "# Edited.\n",
        "shop/celery_tasks/ex14_priorities.py": "# Own.\n",
    }
    for name, text in own.items():
        (project.path / name).write_text(text)
    commit_all(project.path)
    done = update(project)
    assert done.returncode == 0
    for name in own:
        assert f"error: {name}: " in done.stderr
    expected = bake(tmp_path / "new", answers("plain"))
    for name, text in own.items():
        (expected.path / name).write_text(text)
    assert differing(project, expected) == []


def test_a_project_with_uncommitted_files_is_not_touched(create):
    project = create()
    commit_all(project.path)
    (project.path / "uv.lock").write_text("version = 1\n")
    done = update(project)
    assert done.returncode == 1
    assert "make sure your git working tree is clean" in done.stdout
    assert status(project) == ["?? uv.lock"]


def test_a_project_baked_without_cruft_is_linked_and_a_wrong_version_shows(create, template):
    project = create()
    state = project.path / ".cruft.json"
    written = state.read_text()
    for tag, same in ((NEW, False), (OLD, True)):
        state.unlink()
        told = ("--checkout", tag, "--no-input", "--extra-context", json.dumps(answers("plain")))
        assert cruft(project, "link", str(template), *told).returncode == 0
        assert (state.read_text() == written) == same
        assert ("celery_runtime/app.py" in shown_by_diff(project)) != same
    assert shown_by_diff(project) == []
