import json
import shutil

import pytest

NAMED_TASK = """
    from PACKAGE.celery_config import app

    @app.task(name="same", queue="tasks")
    def first_or_second(): ...
"""

FAULTS = {
    "syntax error": ({"ex1.py": "x = 1\ndef broken(:\n"}, ("ex1.py", 2, "SyntaxError", "Correct the syntax")),
    "missing dependency": (
        {"ex1.py": "import json\nimport no_such_package\n"},
        ("ex1.py", 2, "No module named 'no_such_package'", "uv add no_such_package"),
    ),
    "exception": ({"ex1.py": "x = 1\n\nx / 0\n"}, ("ex1.py", 3, "ZeroDivisionError", "Correct this line")),
    "wrong option": (
        {"ex1.py": "from PACKAGE import app\n\n@app.task(base=int)\ndef f(): ...\n"},
        ("", 1, "while the tasks were registered", "decorator"),
    ),
    "long message": (
        {"ex1.py": "raise RuntimeError('first line\\nsecond line')\n"},
        ("ex1.py", 1, "RuntimeError: first line while", "Correct this line"),
    ),
    "SystemExit": ({"ex1.py": "import sys\nsys.exit(3)\n"}, ("ex1.py", 2, "SystemExit: 3", "__main__")),
    "a name in two files": (
        {"ex1.py": NAMED_TASK, "ex2.py": NAMED_TASK},
        ("ex2.py", 5, "'same' is taken by PACKAGE/celery_tasks/ex1.py:5", "Rename one"),
    ),
    "a name twice in one file": (
        {"ex1.py": "from PACKAGE import app\n\n@app.task\ndef f(): ...\n\n@app.task\ndef f(): ...\n"},
        ("ex1.py", 7, "ex1.f' is taken by PACKAGE/celery_tasks/ex1.py:4", "Rename one"),
    ),
    "unknown queue": (
        {"ex1.py": "from PACKAGE import app\n\n@app.task(queue='taks')\ndef lost(): ...\n"},
        ("ex1.py", 3, "queue 'taks'", "queues.py"),
    ),
    "a dot in the name": ({"ex.name.py": ""}, ("ex.name.py", 1, "a dot", "ex_name.py")),
    "a folder like a file": ({"exdir.py/x.txt": ""}, ("exdir.py", 1, "a folder", "Rename it to exdir")),
    "shadowed by a package": (
        {"ex1.py": "", "ex1/__init__.py": ""},
        ("ex1.py", 1, "Python imports", "Rename one"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_check_names_file_line_and_remedy(copy, fault):
    files, (file, line, problem, remedy) = FAULTS[fault]
    for name, source in files.items():
        copy.write(name, source)
    done = copy.celery("tasks", "check", "--json")
    assert done.returncode == 1, done.stderr
    [found] = json.loads(done.stdout)
    assert (found["file"], found["line"]) == (f"{copy.package}/celery_tasks/{file}".rstrip("/"), line)
    assert problem.replace("PACKAGE", copy.package) in found["problem"]
    assert remedy in found["remedy"]


def test_a_worker_names_all_broken_files_at_once_and_does_not_start(copy):
    copy.write("ex1.py", "import no_such_package")
    copy.write("ex2.py", "def broken(:")
    done = copy.celery("worker", "--concurrency", "1")
    assert done.returncode == 1
    assert "2 problems" in done.stderr
    assert "ex1.py:1: ModuleNotFoundError" in done.stderr
    assert "ex2.py:1: SyntaxError" in done.stderr
    assert "Traceback" not in done.stderr
    assert "ready." not in done.stderr


def test_beat_does_not_start_either(copy):
    copy.write("ex1.py", "import no_such_package")
    done = copy.celery("beat")
    assert done.returncode == 1
    assert "ex1.py:1: ModuleNotFoundError" in done.stderr


def test_a_missing_folder_is_named(copy):
    shutil.rmtree(copy.tasks)
    done = copy.celery("tasks", "check")
    assert done.returncode == 1
    assert f"{copy.package}/celery_tasks:1: the folder of the task modules is missing" in done.stdout


def test_an_empty_folder_is_no_reason_to_refuse(copy):
    done = copy.celery("tasks", "check", "--json")
    assert done.returncode == 0
    assert [problem["fatal"] for problem in json.loads(done.stdout)] == [False]
