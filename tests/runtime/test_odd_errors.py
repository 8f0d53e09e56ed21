"""Errors like no other: the worker lives on, and the log line says what kind they were."""

import json

ODD = """
    import asyncio
    import socket

    from PACKAGE.celery_config import app
    from celery_runtime import RULES, Fail

    @app.task(queue="tasks", policy={"": Fail()})
    def not_pickled():
        error = ConnectionResetError(104, "it holds a socket")
        error.socket = socket.socket()
        raise error

    class NoConstructor(Exception):
        def __init__(self, first, second):
            super().__init__(f"{first} {second}")

    @app.task(queue="tasks")
    def not_rebuilt():
        raise NoConstructor("one", "two")

    @app.task(queue="tasks")
    def circular():
        first, second = KeyError("first"), ValueError("second")
        first.__cause__, second.__cause__ = second, first
        raise first

    class Mute(Exception):
        def __str__(self):
            raise RuntimeError("mute")
        __repr__ = __str__

    @app.task(queue="tasks")
    def mute():
        raise Mute

    @app.task(queue="tasks")
    def long():
        raise ValueError("x" * 5_000_000)

    class Base(BaseException):
        pass

    @app.task(queue="tasks")
    def base():
        raise Base("no Exception")

    @app.task(queue="tasks")
    def cancelled():
        raise asyncio.CancelledError

    def broken_rule(error):
        return error.no_such_attribute

    RULES.insert(0, broken_rule)

    @app.task(queue="tasks")
    def healthy():
        return "alive"
"""
NAMES = ("not_pickled", "not_rebuilt", "circular", "mute", "long", "base", "cancelled")


def test_a_worker_survives_them_and_tells_their_kind(copy, start):
    copy.write("ex1.py", ODD)
    worker = start()
    copy.run(
        f"""
        from PACKAGE.celery_tasks import ex1
        for name in {NAMES}:
            getattr(ex1, name).delay()
        assert ex1.healthy.delay().get(timeout=30) == "alive"
        """
    )
    lines = [json.loads(line) for line in worker.output().splitlines() if line.startswith("{")]
    failed = {line["task"].rpartition(".")[2]: line for line in lines if "raised unexpected" in line["event"]}
    assert sorted(failed) == sorted(NAMES)
    kinds = {name: line["kind"] for name, line in failed.items()}
    assert kinds == {**dict.fromkeys(NAMES, "unexpected"), "not_pickled": "network.unavailable"}
    assert "Base: no Exception" in failed["base"]["event"]
    assert failed["not_pickled"]["error"] == "ConnectionResetError: [Errno 104] it holds a socket"
    assert 1 <= sum("the rule broken_rule failed" in line["event"] for line in lines) < 15
    assert max(map(len, worker.output().splitlines())) < 50_000
    assert "WorkerLostError" not in worker.output()
