"""A pool of greenlets, which would lose tasks, is refused in one line before anything starts."""

import pytest

REFUSAL = (
    "error: a pool of greenlets (gevent, eventlet) loses tasks: what a stop ends counts as done. Use --pool threads"
)
GEVENT = "celery.concurrency.gevent:TaskPool"
OWN = """
    from celery.concurrency.gevent import TaskPool

    class Pool(TaskPool): ...
"""


@pytest.fixture
def project(copy):
    copy.write_note_task()
    copy.environment["CELERY_BROKER_URL"] = "redis://127.0.0.1:1/0"  # nothing answers there, and nothing is asked
    return copy


def refused(done):
    assert done.returncode == 1, done.stdout + done.stderr
    (line,) = (done.stdout + done.stderr).splitlines()
    return line.startswith(REFUSAL)


def options_of_a_daemon(folder):
    return f"--pidfile={folder}/%n.pid", f"--logfile={folder}/%n.log"


@pytest.mark.parametrize("options", [["-P", "gevent"], ["--pool=gevent"], ["--tasks", "ex1*", "-P", "gevent"]])
def test_on_the_command_line(project, options):
    assert refused(project.celery("worker", *options))


@pytest.mark.parametrize("variables", [{"CELERY_WORKER_POOL": "gevent"}, {"CELERY_WORKER_POOL": "custom"}])
def test_in_the_environment(project, variables):
    assert refused(project.celery("worker", CELERY_CUSTOM_WORKER_POOL=GEVENT, **variables))


@pytest.mark.parametrize("pool", ["gevent", GEVENT, "PACKAGE.pools:Pool"])
def test_in_the_settings(project, pool):
    project.write("../pools.py", OWN)
    project.configure(worker_pool=pool.replace("PACKAGE", project.package))
    assert refused(project.celery("worker"))


def test_in_the_settings_of_what_a_program_starts(project):
    project.configure(worker_pool="gevent")
    told = project.run("""
        from PACKAGE import app
        try:
            app.Worker()
        except SystemExit as refusal:
            print(refusal)
    """)
    assert told.startswith(REFUSAL)


def test_before_a_worker_is_detached(project, tmp_path):
    project.configure(worker_pool="gevent")
    assert refused(project.celery("worker", "--detach", *options_of_a_daemon(tmp_path)))
    done = project.celery("multi", "start", "one", *options_of_a_daemon(tmp_path))
    assert REFUSAL in done.stdout + done.stderr
    assert "FAILED" in done.stdout
    assert not list(tmp_path.glob("*.pid"))


def test_a_check_names_the_setting(project):
    project.configure(worker_pool="eventlet")
    done = project.celery("tasks", "check")
    assert done.returncode == 1
    settings = (project.root / project.package / "settings.py").read_text().splitlines()
    first, _ = done.stdout.splitlines()
    assert first.startswith(f"{project.package}/settings.py:{len(settings)}: a pool of greenlets")


def test_what_runs_no_task_takes_the_setting(project):
    project.configure(worker_pool="gevent")
    assert "ex1_note" in project.celery("tasks", "list").stdout
    assert "Traceback" not in project.celery("worker", "--help").stderr
