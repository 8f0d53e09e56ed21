import json

TASK = """
    import logging

    import structlog

    from PACKAGE.celery_config import app
    from celery_runtime import Retry, handling

    @app.task(queue="tasks", bind=True, policy={"network": Retry(attempts=2, base=0)})
    def pay(self, card):
        structlog.get_logger().info("by structlog", order=7)
        structlog.get_logger().info("odd", key={(1, 2): float("nan")}, nan=float("nan"))
        logging.getLogger("shop").info("by %s", "logging", extra={"order": 8})
        with handling("bank"):
            structlog.get_logger().info("in the block")
            if self.attempt == 1:
                raise ConnectionResetError(104, "reset")
        return card
"""
CARD = "4242-4242"


def lines_of(copy, start, *options, **environment):
    copy.write("ex1.py", TASK)
    worker = start(*options, **environment)
    copy.run(f"from PACKAGE.celery_tasks.ex1 import pay; assert pay.delay({CARD!r}).get(timeout=30)")
    worker.wait_for(lambda: "succeeded" in worker.output())
    return worker.output()


def test_outside_development_each_line_of_a_task_is_json_that_says_which(copy, start):
    output = lines_of(copy, start)
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    told = [line for line in lines if "attempt" in line]
    assert {line["task"] for line in told} == {f"{copy.package}.celery_tasks.ex1.pay"}
    assert len({line["task_id"] for line in told}) == 1
    by_event = {(line["event"], line["attempt"]): line for line in told}
    assert by_event["by structlog", 1]["order"] == 7
    assert by_event["by logging", 2]["order"] == 8
    assert by_event["odd", 1]["nan"] == "nan"
    assert by_event["in the block", 1]["service"] == "bank"
    assert "service" not in by_event["by structlog", 2]
    [retried] = [line for line in told if " retry: " in line["event"]]
    expected = {"attempt": 1, "kind": "network.unavailable", "code": "ECONNRESET", "service": "bank"}
    assert expected.items() <= retried.items()
    assert told[0]["task_id"] in {line["task_id"] for line in lines if line["event"].endswith(" received")}
    [started] = [line for line in lines if line["event"].endswith(" ready.")]
    assert "task" not in started


def test_no_argument_and_no_result_is_written_down(copy, start):
    assert CARD not in lines_of(copy, start, "--loglevel", "DEBUG")


def test_unless_it_is_switched_on(copy, start):
    output = lines_of(copy, start, CELERY_LOG_ARGUMENTS="1")
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    assert any(CARD in line.get("args", "") for line in lines)


def test_in_development_a_line_is_for_people(copy, start):
    output = lines_of(copy, start, APP_ENV="development")
    [line] = [line for line in output.splitlines() if "by structlog" in line and "attempt=1" in line]
    assert "order=7" in line
    assert not line.startswith("{")


PRINTING = """
    import subprocess
    import sys

    from PACKAGE import app

    @app.task(queue="tasks")
    def prints():
        print("at", 1, "of", 2)
        print("to stderr", 3, file=sys.stderr)
        print("begun, ", end="")
        print("and ended")
        print("flushed", end="", flush=True)
        sys.stdout.buffer.write("bytes in {}\\n".format(sys.stdout.encoding).encode())
        subprocess.run(["true"], stdout=sys.stdout, check=True)
        sys.stdout.write("no end of line")
"""


def test_what_is_printed_is_a_line_for_a_line(copy, start):
    copy.write("ex1.py", PRINTING)
    worker = start()
    copy.run("from PACKAGE.celery_tasks.ex1 import prints; prints.delay().get(timeout=30)")
    worker.wait_for(lambda: "no end of line" in worker.output())
    lines = [json.loads(line) for line in worker.output().splitlines() if line.startswith("{")]
    printed = [line for line in lines if line["logger"] == "celery.redirected"]
    told = ["at 1 of 2", "to stderr 3", "begun, and ended", "flushed", "bytes in utf-8", "no end of line"]
    assert [line["event"] for line in printed] == told
    assert {line["task"] for line in printed} == {f"{copy.package}.celery_tasks.ex1.prints"}


def test_outside_development_all_is_json_to_the_last_line(copy, start):
    copy.write_note_task()
    worker = start("--concurrency", "1")
    copy.run("from PACKAGE.celery_tasks.ex1_note import note; note.delay('x')")
    worker.wait_for(lambda: "succeeded" in worker.output())
    worker.process.terminate()
    worker.process.wait(timeout=60)
    _, _, after_warnings = worker.output().partition('{"event"')
    lines = [json.loads(line) for line in f'{{"event"{after_warnings}'.splitlines()]
    assert " starts: broker redis+socket://" in lines[0]["event"]
    assert "queues tasks" in lines[0]["event"]
    assert any(line["event"].startswith("worker: stops") for line in lines)


def test_a_rejected_message_is_told_with_its_kind_and_its_task(copy, start):
    copy.write_note_task()
    worker = start()
    id_ = copy.run("from PACKAGE import app; print(app.send_task('nobody.wrote_it').id)").strip()
    worker.wait_for(lambda: "stored as a dead letter" in worker.output())
    lines = [json.loads(line) for line in worker.output().splitlines() if id_ in line]
    assert any("was rejected" in line["event"] for line in lines)
    told = {(line["kind"], line["task"], line["task_id"]) for line in lines}
    assert told == {("message.unknown_task", "nobody.wrote_it", id_)}


FAILING = """
    import urllib.request
    from PACKAGE import app
    from celery_runtime import Fail

    @app.task(queue="tasks", policy={"": Fail()})
    def ask():
        urllib.request.urlopen("http://127.0.0.1:1/")
"""


def test_in_development_a_long_traceback_is_cut(copy, start):
    copy.write("ex1.py", FAILING)
    worker = start(APP_ENV="development")
    copy.run("from PACKAGE.celery_tasks.ex1 import ask; ask.delay().get(timeout=30, propagate=False)")
    worker.wait_for(lambda: "<urlopen error" in worker.output().partition("Traceback")[2])
    _, _, told = worker.output().partition(" ready.")
    assert " lines cut …" in told
    assert "in ask" in told
    assert len(told.splitlines()) < 34
    [entry] = json.loads(copy.celery("dead-letters", "list", "--json").stdout)
    assert "During handling of the above exception" in copy.celery("dead-letters", "show", entry["id"]).stdout


def test_an_error_that_ends_beat_is_one_line(copy):
    copy.write_note_task()
    copy.configure(beat_scheduler="celery.beat:Nothing")
    done = copy.celery("beat")
    assert done.returncode == 1
    last = json.loads(done.stderr.splitlines()[-1])
    assert (last["event"], last["level"]) == ("an error ends this process", "critical")
    assert "AttributeError" in last["exception"]
