"""The worst of what can stand in a queue: each becomes a dead letter, and the worker and all other tasks live on."""

import json

import pytest

from scripts import servers

from .lending import BROKERS, running_copy

TASKS = """
    from pathlib import Path

    from PACKAGE.celery_config import app

    @app.task(queue="tasks", ignore_result=True)
    def note(text):
        with Path("NOTES_FILE").open("a") as file:
            file.write(text + "\\n")
"""
# Celery and kombu would not send most of it, so it goes out past them.
SEND = """
    import uuid
    from kombu import Producer
    from PACKAGE import app
    from celery_runtime.brokers import urls

    connection = app.connection_for_write()
    producer = Producer(connection.default_channel)

    def send(body=b'[["bad"], {}, {}]', properties={}, **headers):
        stated = dict(task="PACKAGE.celery_tasks.ex1.note", id=str(uuid.uuid4()))
        stated.update(headers)
        options = dict(content_type="application/json", content_encoding="utf-8", routing_key="tasks")
        producer.publish(body, headers=stated, **options | properties)

    def malformed():
        yield lambda: send(b'[["bad')
        yield lambda: send(b'[[' + b"[" * 900 + b"]" * 900 + b'], {}, {}]')
        yield lambda: send(b"7")
        yield lambda: send(b'[["bad"], {}, {"callbacks": [1]}]')
        yield lambda: send(timelimit="zz")
        yield lambda: send(expires="9999-12-31T23:59:59-23:00")
        yield lambda: send(stamped_headers=[[1]])
        yield lambda: send(get=1)
        if urls.is_rabbitmq(app.conf.broker_url):
            yield lambda: send(properties=dict(correlation_id=b"\\xff"))
            yield lambda: send(properties=dict(content_type=b"\\xff"))
        else:
            channel = connection.default_channel
            elsewhere = b'{"properties": {"delivery_tag": "1", "delivery_info": {"exchange": "", "routing_key": "x"}}}'
            for item in (b"hello", b"null", b"[" * 100_000, b'{"properties": {}}', elsewhere):
                yield lambda: channel.client.lpush(channel._q_for_pri("tasks", 5), item)
            yield lambda: send(properties=dict(priority="high"))

    for number, send_bad in enumerate(malformed()):
        send_bad()
        send(b'[["%d"], {}, {}]' % number)
    print(number + 1)
"""
ODD_TASK = """
    from celery.worker.request import Request
    from PACKAGE.celery_config import app

    class Odd(Request):
        @property
        def time_limits(self):
            raise RuntimeError("nobody expects that")

    @app.task(queue="tasks", Request=f"{__name__}:Odd")
    def odd():
        pass
"""
HELD = """
    from PACKAGE import app
    from celery_runtime.brokers import urls

    with app.connection_for_write() as connection:
        channel = connection.default_channel
        if urls.is_rabbitmq(app.conf.broker_url):
            print(0)  # a message that was not acknowledged would come again
        else:
            with channel.conn_or_acquire() as client:
                print(client.hlen(channel.unacked_key))
"""
LIST = """
    import json
    from PACKAGE import app

    print(json.dumps([entry.kind for entry in app.dead_letters.find()]))
"""


@pytest.fixture(params=BROKERS)
def running(request, tmp_path):
    with running_copy(request.param, tmp_path, TASKS) as lent:
        yield lent


def test_each_becomes_a_dead_letter_and_the_rest_runs(running):
    copy, worker = running
    number = int(copy.run(SEND))
    worker.wait_for(lambda: len(copy.notes()) >= number)
    worker.wait_for(lambda: worker.output().count("stored as a dead letter") >= number)
    assert sorted(map(int, copy.notes())) == list(range(number))
    kinds = json.loads(copy.run(LIST))
    assert sorted(set(kinds)) == ["message.malformed", "message.too_large", "message.undecodable"]
    assert len(kinds) == number
    worker.wait_for(lambda: copy.run(HELD).strip() == "0")
    for calamity in ("would have ended the worker", "Connection to broker lost", "Unrecoverable error"):
        assert calamity not in worker.output()


def test_what_celery_does_not_expect_does_not_end_the_worker(copy, start):
    copy.write_note_task()
    copy.write("ex2_odd.py", ODD_TASK)
    worker = start()
    copy.run("""
        from PACKAGE.celery_tasks import ex1_note, ex2_odd
        ex2_odd.odd.delay()
        ex1_note.note.delay("after it")
    """)
    worker.wait_for(lambda: copy.notes() == ["after it"])
    assert json.loads(copy.run(LIST)) == ["message.malformed"]


def test_whoever_waits_for_a_rejected_message_is_told(running):
    copy, _ = running
    printed = copy.run(
        SEND.partition("def malformed")[0]
        + """
    import json

    app.finalize()
    rejected = dict(
        unknown=dict(task="nobody.has_it"),
        unknown_in_chain=dict(
            task="nobody.has_it",
            body=b'[[], {}, {"chain": [{"task": "PACKAGE.celery_tasks.ex1.note", "options": {"task_id": "next"}}]}]',
        ),
        refused=dict(properties=dict(content_type="application/x-python-serialize", content_encoding="binary")),
        undecodable=dict(body=b'[["bad'),
        compressed=dict(compression="zlib"),
        header=dict(timelimit="zz"),
        deep=dict(body=b"[[" + b"[" * 900 + b"]" * 900 + b"], {}, {}]"),
        large=dict(body=b'[["' + b"x" * 2**24 + b'"], {}, {}]'),
    )
    if not TAKES_ALL:
        del rejected["large"]
    for name, stated in rejected.items():
        send(id=name, **stated)
    told = dict()
    for name in (*rejected, "next"):
        told[name] = repr(app.AsyncResult(name).get(timeout=10, propagate=False))
    print(json.dumps(told))
    """.replace("TAKES_ALL", str(servers.root() is None))  # RabbitMQ 4 takes none so large
    )
    told = json.loads(printed)
    reasons = {
        "unknown": "never registered",
        "unknown_in_chain": "never registered",
        "next": "never registered",
        "refused": "message.refused_content",
        "undecodable": "message.undecodable",
        "compressed": "message.undecodable",
        "header": "message.malformed: its timelimit",
        "deep": "message.too_large",
        "large": "message.too_large",
    }
    assert len(told) == len(reasons) - bool(servers.root())
    assert {name: why for name, why in told.items() if reasons[name] not in why} == {}
