"""Tasks that end their process or their worker, or take long, and what the tests of crashes ask of a project."""

import json

TASKS = """
    import os
    import signal
    import time
    from pathlib import Path

    import celery
    from celery.exceptions import SoftTimeLimitExceeded
    from PACKAGE.celery_config import app
    from celery_runtime import Retry

    def write(text):
        with Path("NOTES_FILE").open("a") as file:
            file.write(text + "\\n")

    @app.task(queue="tasks", policy={"": Retry(max_age="1h", base=0)})
    def poison(how):
        write(how)
        if how == "SIGKILL":
            os.kill(os.getpid(), signal.SIGKILL)
        elif how == "exit":
            os._exit(3)
        raise MemoryError

    @app.task(queue="tasks", policy={"worker": Retry(attempts=2, base=0)})
    def hungry():
        write("hungry")
        eaten = []
        while True:
            eaten.append(bytes(10_000_000))

    @app.task(queue="tasks", policy={"worker": Retry(attempts=2, base=0)}, priority=9)
    def kills_its_worker():
        write("kills")
        time.sleep(0.2)
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(30)

    @app.task(queue="tasks", base=celery.Task)
    def has_a_base_of_its_own():
        write("own base")

    @app.task(queue="tasks")
    def sleeper(seconds):
        write("begins")
        time.sleep(seconds)
        write("ends")

    @app.task(queue="tasks")
    def long_at_first():
        first = not Path("NOTES_FILE").exists()
        write("begins")
        time.sleep(30 if first else 0)
        write("ends")

    @app.task(queue="tasks")
    def held():
        write("begins")
        while not Path("NOTES_FILE.released").exists():
            time.sleep(0.02)
        write("ends")

    @app.task(queue="tasks")
    def cleans_up():
        write(f"begins {os.getpid()}")
        try:
            time.sleep(30)
        except SoftTimeLimitExceeded:
            write("cleans up")
            raise

    @app.task(queue="tasks", rate_limit="12/m")
    def limited(text):
        write(text)

    @app.task(queue="tasks", acks_late=False)
    def early(seconds=1.5):
        write("early")
        time.sleep(seconds)
"""

# On Redis: seconds after which the tasks of a worker that was killed run again.
VISIBILITY_TIMEOUT = 3


def prepare(copy, broker_url):
    """Give the copy these tasks, this broker, and times so short that a test can wait for them."""
    copy.write("ex1.py", TASKS)
    copy.write_note_task("ex2_note.py")
    copy.configure(broker_transport_options={"visibility_timeout": VISIBILITY_TIMEOUT, "unacked_restore_interval": 1})
    copy.environment["CELERY_BROKER_URL"] = broker_url
    copy.environment.update(CELERY_TASK_TIME_LIMIT="3", CELERY_TASK_SOFT_TIME_LIMIT="2")
    return copy


def never_time_out(project):
    """Keep Redis from handing out a message because it is held for long."""
    project.configure(broker_transport_options={"visibility_timeout": 600})


def take_long(project):
    """Let tasks run for as long as a busy machine needs to interrupt them."""
    project.environment.update(CELERY_TASK_TIME_LIMIT="60", CELERY_TASK_SOFT_TIME_LIMIT="50")
    if project.environment["CELERY_BROKER_URL"].startswith("redis"):
        never_time_out(project)


def release(project):
    """Let the task `held` end."""
    project.notes_file.with_name(f"{project.notes_file.name}.released").touch()


def publish(project, *calls):
    code = "from PACKAGE.celery_tasks.ex1 import *\nfrom PACKAGE.celery_tasks.ex2_note import note\n"
    project.run(code + "\n".join(calls))


def dead_letters(project):
    return json.loads(project.celery("dead-letters", "list", "--json").stdout)


def give_back(project, number=1, times=1):
    """Have the broker deliver so many messages, and take them back, so many times."""
    project.run(
        f"""
        from PACKAGE import app
        with app.connection_for_read() as connection:
            queue = app.amqp.queues["tasks"](connection.default_channel)
            for _ in range({times}):
                for message in [queue.get() for _ in range({number})]:
                    message.reject(requeue=True)
        """
    )


def lost_runs(project, task_id):
    code = f"""
        from PACKAGE import app
        from celery_runtime.brokers import broker_of
        print(broker_of(app).count_crashes({task_id!r}))
    """
    return int(project.run(code))
