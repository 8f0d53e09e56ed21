import json
from pathlib import Path

import pytest

REFUSED = {
    # Not a name.
    "": "'' is not a name",
    "send-invoice": "'send-invoice' is not a name",
    "2fast": "'2fast' is not a name",
    "höflich": "'höflich' is not a name",
    "two\nlines": r"'two\nlines' is not a name",
    "_private": "'_private' is not a name",
    "billing/_late/pay_all": "'_late' is not a name",
    "../escaped": "'..' is not a name",
    "billing/../../../escaped": "'..' is not a name",
    "/escaped": "'' is not a name",
    "billing/": "'' is not a name",
    # A name of something else.
    "class": "'class' is a keyword",
    "ex9_class": "'class' is a keyword",
    "class/pay_all": "'class' is a keyword",
    "app": "'app' means something else",
    "str": "'str' means something else",
    "l": "'l' means something else",
    "worker": "'worker' means something else",
    "test_mail": "'test_mail' means something else",
    "setup_module": "'setup_module' means something else",
    "x" * 60: "is too long",
    # A name that is taken.
    "pay": "celery_tasks/ex3_pay.py is there already",
    "ex3_pay": "celery_tasks/ex3_pay.py is there already",
    "ex_pay": "celery_tasks/ex3_pay.py is there already",
    "ex9_pay": "celery_tasks/ex3_pay.py is there already",
    "ex20_hello": "celery_tasks/ex4_named.py has a task of the name PACKAGE.celery_tasks.ex20_hello.hello",
    "orders": "tests/test_orders.py is there already",
    "billing/orders": "tests/test_billing_orders.py is there already",
    "ex21_folder": "celery_tasks/ex21_folder is there already",
    "mail/send": "celery_tasks/mail.py is there already",
    "reports/send": "celery_tasks/reports is there already",
    "linked/send": "celery_tasks/linked is a link",
}
WRITTEN = {
    "refund": "ex11_refund.py",
    "remind": "ex12_remind.py",
    "billing/refund": "billing/ex6_refund.py",
    "far/away/refund": "far/away/ex1_refund.py",
    "ex7_pay": "ex7_pay.py",
    "export": "export.py",
    "ex8": "ex8.py",
    "PACKAGE/celery_tasks/billing/ex2_pay.py": "billing/ex2_pay.py",
}
NAMED_TASK = """
    from PACKAGE.celery_config import app

    @app.task(name="PACKAGE.celery_tasks.ex20_hello.hello")
    def named(): ...
"""


@pytest.fixture
def project(copy):
    """The copy with a folder of tests, which hold no test yet."""
    (copy.root / "tests").mkdir()
    (copy.root / "tests/conftest.py").touch()
    return copy


def files_below(folder: Path) -> dict[str, bytes | None]:
    paths = [path for path in folder.rglob("*") if "__pycache__" not in path.parts]
    return {path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None for path in paths}


def outcomes(project, *names: str) -> dict[str, str]:
    """Try to write new tasks, one after the other; return for each the path of its file, or why it was refused."""
    printed = project.run(
        f"""
        import json
        from PACKAGE import app
        from celery_runtime.discovery.new_task import Refused, write_new_task

        def outcome(name):
            try:
                new = write_new_task(app, name)
            except Refused as refused:
                return str(refused)
            return new.file.relative_to(new.folders[0]).as_posix()

        print(json.dumps([outcome(name) for name in {list(names)!r}]))
        """
    )
    return dict(zip(names, json.loads(printed), strict=True))


def assert_refused(project, name: str, reason: str) -> None:
    before = files_below(project.root)
    done = project.celery("tasks", "new", name)
    assert (done.returncode, done.stdout) == (1, "")
    assert reason.replace("PACKAGE", project.package) in done.stderr
    assert done.stderr.startswith("Error: ")
    assert len(done.stderr.splitlines()) == 1
    assert files_below(project.root) == before


def test_it_says_what_was_written_and_what_comes_next(project):
    project.write("ex9_broken.py", "raise RuntimeError('this is not in the way')")
    told = project.celery("tasks", "new", "billing/refund").stdout
    assert f"Written in {project.root}:\n  {project.package}/celery_tasks/billing/ex1_refund.py\n" in told
    assert "\n  uv run pytest tests/test_billing_refund.py\n" in told
    assert "restarted" in told


def test_a_file_gets_the_next_number_of_its_folder_where_its_name_needs_one(project):
    for file in ("ex9_nine.py", "ex10_ten.py", "ex_none.py", "billing/ex5_five.py"):
        project.write(file, "")
    assert outcomes(project, *WRITTEN) == WRITTEN
    assert {file for file in WRITTEN.values() if not (project.tasks / file).is_file()} == set()


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("job_*.py", {"send": "job_send.py", "job_3_send": "celery_tasks/job_send.py is there already"}),
        ("job*.py", {"send": "job1_send.py", "job_pay": "job_pay.py"}),
        ("*.py", {"send": "send.py"}),
    ],
)
def test_a_file_matches_the_pattern(project, pattern, expected):
    project.change("settings.py", '"ex*.py"', f'"{pattern}"')
    for name, outcome in outcomes(project, *expected).items():
        assert expected[name] in outcome


@pytest.mark.parametrize("pattern", ["ex*_job.py", "*_job.py", "ex-*.py", "ex*", "ex?.py", "[a-e]x*.py", "2*.py"])
def test_a_pattern_of_another_form_is_refused(project, pattern):
    project.change("settings.py", '"ex*.py"', f'"{pattern}"')
    assert_refused(
        project, "send", f"task files match {pattern}, which is not of the form ex*.py. Write this one by hand."
    )


def test_a_task_goes_to_the_default_queue_from_a_sub_folder_too(project):
    project.change("queues.py", '"tasks"', '"jobs"')
    files = {"refund": "ex1_refund.py", "billing/remind": "billing/ex1_remind.py"}
    assert outcomes(project, *files) == files
    tasks = json.loads(project.celery("tasks", "list", "--json").stdout)
    assert [task["queue"] for task in tasks] == ["jobs", "jobs"]


def test_a_name_that_is_none_or_taken_is_refused(project):
    project.write("ex3_pay.py", "raise RuntimeError")
    project.write("ex4_named.py", NAMED_TASK)
    project.write("ex21_folder/note.txt", "")
    project.write("mail.py", "")
    project.write("reports", "")
    (project.root / "elsewhere").mkdir()
    (project.tasks / "linked").symlink_to(project.root / "elsewhere")
    for test in ("test_orders.py", "test_billing_orders.py"):
        (project.root / "tests" / test).touch()
    before = files_below(project.root)
    for name, outcome in outcomes(project, *REFUSED).items():
        assert REFUSED[name].replace("PACKAGE", project.package) in outcome
        assert len(outcome.splitlines()) == 1
    assert files_below(project.root) == before


@pytest.mark.parametrize("name", ["../escaped", "two\nlines"])
def test_a_refusal_is_one_line_and_exit_status_1(project, name):
    assert_refused(project, name, " is not a name for a task")


def test_without_the_projects_tests_nothing_is_written(copy):
    assert_refused(copy, "refund", f"there is no {copy.root}/tests/conftest.py")


def test_where_the_second_file_cannot_be_written_the_first_does_not_stay(project):
    before = files_below(project.root)
    printed = project.run(
        """
        import resource
        from string import Template
        from PACKAGE import app
        from celery_runtime.discovery import new_task

        new_task.TASK = Template("# a line\\n" * 1000)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            new_task.write_new_task(app, "billing/refund")
        except new_task.Refused as refused:
            print(refused)
        """
    )
    assert "nothing was written: [Errno 27] File too large" in printed
    assert files_below(project.root) == before
