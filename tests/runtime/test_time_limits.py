import json

TASKS = """
    import time

    import celery
    from PACKAGE.celery_config import app

    @app.task(queue="tasks", time_limit=1)
    def states_it():
        time.sleep(60)

    @app.task(queue="tasks")
    def states_none():
        time.sleep(60)

    @app.task(queue="tasks", time_limit=1, base=celery.Task)
    def has_a_base_of_its_own():
        time.sleep(60)

    class IsAClass(celery.Task):
        name, queue, time_limit = "is_a_class", "tasks", 1

        def run(self):
            time.sleep(60)

    is_a_class = app.register_task(IsAClass())
"""


def test_a_time_limit_that_is_stated_alone_is_kept(copy, start):
    copy.write("ex1.py", TASKS)
    worker = start(concurrency=4)
    copy.run(
        """
        from PACKAGE.celery_tasks.ex1 import *
        states_it.delay()
        states_none.apply_async(time_limit=1)
        has_a_base_of_its_own.delay()
        is_a_class.delay()
        """
    )
    worker.wait_for(lambda: worker.output().count("stored as a dead letter") == 4)
    entries = json.loads(copy.celery("dead-letters", "list", "--json").stdout)
    assert [entry["kind"] for entry in entries] == ["time_limit.hard"] * 4
