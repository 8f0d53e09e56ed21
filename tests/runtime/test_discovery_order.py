import json

from celery_runtime.testing.project import ProjectCopy

TASK = """
    from celery import shared_task

    @shared_task(queue="tasks")
    def hello():
        pass
"""


def listed(copy: ProjectCopy, *options: str) -> list[dict[str, object]]:
    done = copy.celery("tasks", "list", "--json", *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_files_are_found_in_natural_order_or_passed_over_for_a_reason(copy):
    for file in ("ex10.py", "ex2.py", "ex-name.py", "billing/ex1_invoice.py", "billing/ex-late/ex3.py"):
        copy.write(file, TASK)
    for file in ("_private.py", "mail.py", "Ex_upper.py", "notes.txt", "README.md", "_hidden/ex2.py"):
        copy.write(file, "raise RuntimeError")
    listing = listed(copy, "--ignored")
    rows = {str(row["file"]).partition("celery_tasks/")[2]: row["ignored"] for row in listing}
    found = [file for file, reason in rows.items() if reason is None]
    assert found == ["ex2.py", "ex10.py", "ex-name.py", "billing/ex1_invoice.py", "billing/ex-late/ex3.py"]
    assert {file: reason for file, reason in rows.items() if reason} == {
        "Ex_upper.py": "does not match ex*.py",
        "_hidden": "starts with _",
        "_private.py": "starts with _",
        "mail.py": "does not match ex*.py",
        "notes.txt": "does not match ex*.py",
    }


def test_a_task_is_listed_with_module_queue_and_priority(copy):
    copy.write(
        "ex1.py",
        """
        from PACKAGE.celery_config import app

        @app.task(queue="tasks", priority=8)
        def urgent(): ...

        @app.task
        def usual(): ...
        """,
    )
    module = f"{copy.package}.celery_tasks.ex1"
    file = f"{copy.package}/celery_tasks/ex1.py"
    assert listed(copy) == [
        {"task": f"{module}.urgent", "module": module, "file": file, "queue": "tasks", "priority": 8},
        {"task": f"{module}.usual", "module": module, "file": file, "queue": "tasks", "priority": 5},
    ]


def test_importing_the_app_imports_no_task_module(copy):
    copy.write("ex1.py", "raise RuntimeError('imported')")
    code = "import sys; import PACKAGE; print([name for name in sys.modules if 'celery_tasks' in name])"
    assert copy.run(code).strip() == "[]"


def test_an_empty_folder_is_a_warning_and_the_worker_starts(copy, start):
    worker = start()
    assert "warning: " in worker.output()
    assert "Add a task file, such as celery_tasks/ex1_hello.py." in worker.output()
