"""A slug that cannot name a package is refused in one line, however it is given, and leaves nothing behind."""

import json
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pexpect
import pytest
from jinja2 import Environment

from local_extensions import LONGEST, SlugExtension, slug_problem
from scripts.baking import TEMPLATE, bake, clean_environment

COOKIECUTTER = [sys.executable, "-m", "cookiecutter", str(TEMPLATE), "--default-config"]
BAD = {
    "hyphen": "my-shop",
    "space": "my shop",
    "keyword": "class",
    "soft keyword": "match",
    "standard library": "json",
    "celery": "celery",
    "django": "django",
    "kombu": "kombu",
    "redis": "redis",
    "test": "test",
    "digit first": "1abc",
    "non-ASCII": "café",
    "Windows device": "con",
    "empty": "",
    "300 characters": "a" * 300,
    "outside the output folder": "../evil",
    "absolute path": "HERE/evil",  # HERE is the test's own folder
    "Jinja": "{{ 7*7 }}",
    "upper case": "Shop",
}
# By replay, these two are refused by cookiecutter and by the file system before our hook is asked.
NEVER_REACH_THE_HOOK = ("empty", "300 characters")
BAD_BY_REPLAY = {"missing parents": "../evil/deep/er", "a way back": "one/../two"}
GOOD = ("shop", "djcelery", "a", "a" * LONGEST, "shop_2")
ENTER_FOR_EACH_QUESTION_LEFT = "\n" * 30


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where cookiecutter keeps its replay files: not the home of whoever runs this."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def output(tmp_path: Path) -> Path:
    folder = tmp_path / "output"
    folder.mkdir()
    return folder


def run(home: Path, output: Path, *arguments: str, typed: str = "") -> "subprocess.CompletedProcess[str]":
    """Run cookiecutter's command line with a pipe as its standard input."""
    return subprocess.run(
        [*COOKIECUTTER, "--output-dir", str(output), *arguments],
        cwd=output.parent,
        env=clean_environment(HOME=str(home)),
        input=typed,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def everything_below(folder: Path) -> dict[str, bytes]:
    """Return each path below the folder with its content; a folder has none."""
    paths = sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"" for path in paths}


def assert_refused(done: "subprocess.CompletedProcess[str]") -> None:
    assert done.returncode == 1
    assert done.stderr.startswith("error: project_slug ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize("bad", BAD)
def test_without_questions(bad, home, output):
    before = everything_below(output.parent)
    slug = BAD[bad].replace("HERE", str(output.parent))
    assert_refused(run(home, output, "--no-input", f"project_slug={slug}"))
    assert everything_below(output.parent) == before


@pytest.mark.parametrize("bad", BAD)
def test_typed_into_a_pipe(bad, home, output):
    before = everything_below(output.parent)
    slug = BAD[bad].replace("HERE", str(output.parent))
    # Enter takes the default, which the name of the project gives: of "!!!" nothing is left.
    name = "" if slug else "!!!"
    done = run(home, output, typed=f"{name}\n{slug}\n{ENTER_FOR_EACH_QUESTION_LEFT}")
    assert_refused(done)
    assert everything_below(output.parent) == before


def at_the_slug(home: Path, output: Path) -> pexpect.spawn:
    """Run cookiecutter's command line on a terminal up to the question for the slug."""
    terminal = pexpect.spawn(
        COOKIECUTTER[0],
        [*COOKIECUTTER[1:], "--output-dir", str(output)],
        cwd=str(output.parent),
        env=clean_environment(HOME=str(home)),
        encoding="utf-8",
        timeout=30,
        # A run in the background of a script has Ctrl-C ignored, and hands that down.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    terminal.expect_exact("Name of the project")
    terminal.sendline("")
    terminal.expect_exact("Name of the Python package")
    return terminal


def test_a_terminal_is_asked_again_until_the_slug_is_good(home, output, tmp_path):
    terminal = at_the_slug(home, output)
    for bad in BAD.values():  # the empty one is not the first: there Enter would take the default
        terminal.sendline(bad.replace("HERE", str(tmp_path)))
        terminal.expect_exact("error: project_slug ")
        terminal.expect_exact("Name of the Python package")
    terminal.send(f"good_name\n{ENTER_FOR_EACH_QUESTION_LEFT}")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
    assert list(tmp_path.iterdir()) == [output]

    by_argument = bake(tmp_path / "by argument", {"project_slug": "good_name"})
    assert everything_below(output) == everything_below(by_argument.path.parent)


@pytest.mark.parametrize("end", ["sendeof", "sendintr"])
def test_a_terminal_can_be_left_at_the_second_question(end, home, output):
    before = everything_below(output.parent)
    terminal = at_the_slug(home, output)
    terminal.sendline("my-shop")
    terminal.expect_exact("Name of the Python package")
    getattr(terminal, end)()
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.before.split()[-1] == "Aborted!"
    assert "Traceback" not in terminal.before
    assert terminal.exitstatus == 1
    assert everything_below(output.parent) == before


@pytest.fixture(scope="module")
def answered(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Writes the slug into the file that cookiecutter keeps of the last answers."""
    done = run(home, tmp_path_factory.mktemp("answered"), "--no-input", "project_slug=answered")
    assert done.returncode == 0, done.stderr
    last_answers = home / f".cookiecutter_replay/{TEMPLATE.name}.json"
    context = json.loads(last_answers.read_text(encoding="utf-8"))

    def write(slug: str) -> Path:
        context["cookiecutter"]["project_slug"] = slug
        last_answers.write_text(json.dumps(context), encoding="utf-8")
        return last_answers

    return write


@pytest.mark.parametrize("bad", [*(bad for bad in BAD if bad not in NEVER_REACH_THE_HOOK), *BAD_BY_REPLAY])
def test_by_a_replay_file(bad, home, output, answered):
    before = everything_below(output.parent)
    slug = {**BAD, **BAD_BY_REPLAY}[bad].replace("HERE", str(output.parent))
    done = run(home, output, "--replay-file", str(answered(slug)))
    assert done.returncode == 1
    assert done.stderr.startswith("error: project_slug ")
    assert everything_below(output.parent) == before


@pytest.mark.parametrize("bad", NEVER_REACH_THE_HOOK)
def test_by_a_replay_file_without_our_hook(bad, home, output, answered):
    before = everything_below(output.parent)
    assert run(home, output, "--replay-file", str(answered(BAD[bad]))).returncode == 1
    assert everything_below(output.parent) == before


def test_by_replay_of_the_last_answers(home, output, answered):
    before = everything_below(output.parent)
    answered("my-shop")
    done = run(home, output, "--replay")
    assert done.returncode == 1
    assert done.stderr.startswith("error: project_slug ")
    # More lines would be a second traceback of cookiecutter, which misses a folder that the hook removed.
    assert done.stderr.count("\n") == 1
    assert everything_below(output.parent) == before


@pytest.mark.parametrize(("slug", "status"), [("shop", 0), ("my-shop", 1)])
def test_by_a_replay_file_that_holds_only_the_slug(slug, status, home, output, tmp_path):
    file = tmp_path / "by_hand.json"
    file.write_text(json.dumps({"cookiecutter": {"project_slug": slug}}))
    done = run(home, output, "--replay-file", str(file), typed=ENTER_FOR_EACH_QUESTION_LEFT)
    assert done.returncode == status
    assert done.stderr == (f"error: {slug_problem(slug)}.\n" if status else "")
    assert [path.name for path in output.iterdir()] == ([] if status else [slug])


@pytest.mark.parametrize("slug", GOOD)
def test_a_good_slug_names_the_project_and_its_package(slug, tmp_path):
    assert slug_problem(slug) == ""
    project = bake(tmp_path, {"project_slug": slug})
    assert project.path == tmp_path / slug
    assert (project.package / "celery_config.py").is_file()
    assert tomllib.loads((project.path / "pyproject.toml").read_text())["project"]["name"] == slug
    # Neither a short name nor a long one may move a line break or the order of imports.
    for check in (("check",), ("format", "--check")):
        project.run(sys.executable, "-m", "ruff", *check, "--no-cache", ".", check=True)


def test_the_default_comes_from_the_name_of_the_project(tmp_path):
    assert bake(tmp_path, {"project_name": "My Été-Shop 2"}).slug == "my_ete_shop_2"


@pytest.mark.parametrize(
    ("reason", "slugs"),
    {
        f"'{'a' * 40}…' has 41 characters; use at most 40": ["a" * 41],
        "is no name for a package": ["", "my-shop", "1abc", "_shop", "Shop", "café", "shop\n", "../x"],
        "is a keyword": ["class", "match", "case"],
        "standard library": ["json", "site", "annotationlib", "compression"],
        "the project needs itself": ["celery", "six", "packaging", "test", "tests", "python_dateutil"],
        "keeps out of git": ["dist", "staticfiles"],
        "device on Windows": ["con", "nul", "com1", "lpt9"],
    }.items(),
)
def test_the_reason_is_told(reason, slugs):
    for slug in slugs:
        assert reason in slug_problem(slug)
        assert "\n" not in slug_problem(slug)


def test_cruft_that_was_told_not_to_ask_does_not(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["cruft", "create", "-y"])
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    template = Environment(extensions=[SlugExtension]).from_string("{{ 'my-shop' | ask_until_valid }}")
    with pytest.raises(SystemExit):
        template.render(cookiecutter={})
    assert capsys.readouterr().err.startswith("error: project_slug 'my-shop'")
