"""Every chord ends with its body or an error: with each header, and with each result backend.

`make chords` prints the table, of headers with 1,000 tasks and of PostgreSQL too.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from celery_runtime.testing.project import ProjectCopy
from celery_runtime.testing.worker import WorkerProcess
from tests.availability import lent
from tests.faults import postgresql_process

from .lending import BROKERS, lent_broker
from .sample import PACKAGE

TASKS = """
    import os
    from celery import group
    from PACKAGE.celery_config import app
    from celery_runtime import Fail

    @app.task(queue="tasks")
    def ident(x):
        return x

    @app.task(queue="tasks", ignore_result=True)
    def quiet(x):
        return x

    @app.task(queue="tasks")
    def fail(x):
        raise ValueError(x)

    @app.task(queue="tasks", policy={"worker": Fail()})
    def kill(x):
        os.kill(os.getpid(), 9)

    @app.task(queue="tasks", bind=True)
    def replaced(self, x):
        raise self.replace(quiet.si(x))

    @app.task(queue="tasks", bind=True)
    def replaced_by_group(self, x):
        raise self.replace(group(quiet.si(x), ident.si(x)))

    @app.task(queue="tasks")
    def collect(results):
        return results
"""
# Publishes every chord, and prints for each that ended the state of its body, its result, and after how many seconds.
RUN = """
    import json, time
    from celery import chain, chord, group, states
    from PACKAGE import app
    from PACKAGE.celery_tasks.ex1 import collect, fail, ident, kill, quiet, replaced, replaced_by_group

    failing = [ident.si(1), fail.si(2)]
    headers = {HEADERS}
    bodies = {}
    for name, header in headers.items():
        bodies[name] = chord(header)(collect.s(), max_retries=3 if "LATE" in name else None)
        if "REVOKED" in name:
            app.control.revoke("REVOKED")
    start, ended = time.monotonic(), {}
    while len(ended) < len(bodies) and (seconds := time.monotonic() - start) < SECONDS:
        for name, body in bodies.items():
            if name not in ended and body.ready():
                ended[name] = [body.state, json.dumps(body.result, default=repr), seconds]
        time.sleep(0.1)
    print(json.dumps(ended))
"""
# By the header, what the body is to return, or what its error is to name.
HEADERS = {
    "ident.si(1), ident.si(2)": [1, 2],
    "ident.si(1)": [1],
    "quiet.si(1), ident.si(2)": [1, 2],
    "quiet.si(1), quiet.si(2)": [1, 2],
    "ident.si(1).set(ignore_result=True), ident.si(2)": [1, 2],
    "*failing": "ValueError",
    "ident.si(1), group(ident.si(2))": [1, 2],
    "ident.si(1), chain(ident.si(2), quiet.si(3))": [1, 3],
    "ident.si(1), chain(fail.si(2), ident.si(3))": "ValueError",
    "chain(ident.si(1), group(ident.si(2), ident.si(3))), ident.si(4)": [[2, 3], 4],
    "chain(ident.si(1), group(quiet.si(2), quiet.si(3))), ident.si(4)": [[2, 3], 4],
    "chord([ident.si(1), quiet.si(2)], collect.s()), ident.si(3)": [[1, 2], 3],
    "chord(failing, collect.s()), ident.si(3)": "ValueError",
    "chord(failing, chain(collect.s(), collect.s())), ident.si(3)": "ValueError",
    "chord(failing, group(collect.s(), collect.s())), ident.si(3)": "ValueError",
    "chain(ident.si(1), group(failing), collect.s()), ident.si(3)": "ValueError",
    "replaced.si(1), ident.si(2)": [1, 2],
    "replaced_by_group.si(1), ident.si(2)": [[1, 1], 2],
    "ident.si(1), kill.si(2)": "WorkerLostError",
    "ident.si(1), ident.si(2).set(expires=-1)": "TaskRevokedError",
    "ident.si(1), ident.si(2).set(task_id='REVOKED', countdown=2)": "TaskRevokedError",
    "ident.si(1), app.signature('nobody.has_it')": "never registered",
    "ident.si(1), ident.si(2).set(shadow=7)": "its shadow is not a text",
    "*map(ident.si, range(50))": list(range(50)),
}
# Where the results are in a database; a Redis counts what has ended, and waits for ever.
LOST = {"ident.si(1), ident.si(2).set(task_id='LATE', countdown=600)": "1 of 2 tasks of the header have not ended"}
LARGE = {
    "*map(ident.si, range(1000))": list(range(1000)),
    "*map(quiet.si, range(1000))": list(range(1000)),
    "*map(ident.si, range(999)), fail.si(2)": "ValueError",
}
PRINTS_ALL = os.environ.get("CHORDS") == "all"
RESULTS = ("redis", "database", "postgresql") if PRINTS_ALL else ("redis", "database")


@contextmanager
def postgresql() -> Iterator[str]:
    """Lend the URL of results in a PostgreSQL of its own."""
    with tempfile.TemporaryDirectory(prefix="postgresql-") as folder:
        programs, data = postgresql_process.programs(), Path(folder) / "data"
        postgresql_process.initialize(programs, data, "correct")
        with postgresql_process.server(programs, data, "correct") as at:
            yield f"db+postgresql+psycopg://{at.user}:{at.password}@{at.host}:{at.port}/{at.database}"


@pytest.fixture(scope="module", params=RESULTS)
def results(request):
    return request.param


@pytest.fixture(scope="module", params=BROKERS)
def running(request, results, tmp_path_factory):
    if results != "database" and request.config.getoption("framework") == "django":
        pytest.skip("the sample of Django has its results in the database")
    with ExitStack() as stack:
        project = ProjectCopy(PACKAGE, tmp_path_factory.mktemp("copy")).create()
        project.write("ex1.py", TASKS)
        project.environment["CELERY_BROKER_URL"] = stack.enter_context(lent_broker(request.param))
        if results == "redis":
            project.environment["CELERY_RESULT_BACKEND"] = stack.enter_context(lent_broker("embedded"))
        elif results == "postgresql":
            project.environment["CELERY_RESULT_BACKEND"] = stack.enter_context(lent(postgresql()))
        elif request.config.getoption("framework") == "plain":
            project.environment["CELERY_RESULT_BACKEND"] = f"db+sqlite:///{project.root / 'results.sqlite3'}"
        worker = WorkerProcess(PACKAGE, project.root / "worker.log", concurrency=2, environment=project.environment)
        yield project, stack.enter_context(worker)


def test_it_ends_whatever_its_header_is(running, results, request):
    project, _ = running
    headers = HEADERS | (LOST if results != "redis" else {}) | (LARGE if PRINTS_ALL else {})
    code = RUN.replace("HEADERS", ", ".join(f"{name!r}: [{name}]" for name in headers))
    ended = json.loads(project.run(code.replace("SECONDS", "300" if PRINTS_ALL else "30")))

    def is_right(name, expected):
        if name not in ended:
            return False
        state, result, _ = ended[name]
        if isinstance(expected, str):
            return state == "FAILURE" and expected in result
        return state == "SUCCESS" and json.loads(result) == expected

    if PRINTS_ALL:
        print(f"\n{request.node.callspec.id}")
        for name in headers:
            state, result, seconds = ended.get(name, ("not ended", "", 0))
            print(f"{name:70} {state:10}{seconds:5.1f} s  {result if len(result) < 60 else result[:60] + '...'}")
    assert {name: ended.get(name) for name, expected in headers.items() if not is_right(name, expected)} == {}


def test_what_does_not_come_is_named_after_a_time_and_a_requeue_waits_for_it_again(copy, start, pytestconfig):
    setting = {"plain": "result_chord_expires", "django": "CELERY_RESULT_CHORD_EXPIRES"}
    with (copy.root / PACKAGE / "settings.py").open("a") as file:
        file.write(f"{setting[pytestconfig.getoption('framework')]} = 2\n")
    if pytestconfig.getoption("framework") == "plain":
        copy.environment["CELERY_RESULT_BACKEND"] = f"db+sqlite:///{copy.root / 'results.sqlite3'}"
    copy.write("ex1.py", TASKS)
    copy.write_note_task()
    start()
    printed = copy.run("""
        import time
        from celery import chord
        from PACKAGE import app
        from PACKAGE.celery_tasks.ex1 import collect, ident
        from PACKAGE.celery_tasks.ex1_note import note

        late = ident.si(2).set(task_id="LATE", countdown=5)
        body = chord([ident.si(1), late])(collect.s().on_error(note.s()))
        print(repr(body.get(timeout=20, propagate=False)))
        app.AsyncResult("LATE").get(timeout=20)
        [entry] = app.dead_letters.find(task="celery.chord_unlock")
        print(entry.message)
        print(app.dead_letters.requeue(task="celery.chord_unlock").refused)
        deadline = time.monotonic() + 20
        while app.AsyncResult(body.id).state == "FAILURE" and time.monotonic() < deadline:
            time.sleep(0.1)
        print(body.id, app.AsyncResult(body.id).result)
    """).splitlines()
    reason = "1 of 2 tasks of the header have not ended in 2 s: LATE"
    assert "ChordError" in printed[0]
    assert reason in printed[0]
    assert printed[1] == reason
    assert printed[2] == "{}"
    body_id, result = printed[3].split(maxsplit=1)
    assert result == "[1, 2]"
    assert copy.notes() == [body_id]


def test_what_workers_would_refuse_is_refused_at_the_call(copy, start):
    copy.write("ex1.py", TASKS)
    printed = copy.run("""
        from celery import chord
        from PACKAGE.celery_tasks.ex1 import collect, ident
        try:
            chord([ident.si(1).set(serializer="pickle"), ident.si(2)])(collect.s())
        except ValueError as error:
            print(error)
    """)
    assert "ex1.ident is in a chord and published as pickle, but accept_content is" in printed
