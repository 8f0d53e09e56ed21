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
