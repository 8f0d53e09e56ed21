"""A task that has another name than when its messages were published: it runs them, if it states its old names."""

import json

RENAMED = """
    from pathlib import Path

    from PACKAGE import app

    @app.task(bind=True, queue="tasks", old_names=["PACKAGE.celery_tasks.ex1_mail.send", "mail.post"])
    def deliver(self, text):
        with Path("NOTES_FILE").open("a") as file:
            file.write(f"{text} {self.name}\\n")
"""
PUBLISH = """
    from celery import chain, signature
    from PACKAGE import app

    app.send_task("PACKAGE.celery_tasks.ex1_mail.send", ("one",))
    app.send_task("mail.post", ("two",), countdown=1)
    first = signature("mail.post", ("three",), app=app, immutable=True)
    chain(first, signature("mail.post", ("four",), app=app, immutable=True)).apply_async()
    print(app.send_task("mail.post", ("five",)).get(timeout=20))
"""


def test_what_was_published_under_an_old_name_runs(copy, start, broker_url):
    copy.environment["CELERY_BROKER_URL"] = broker_url
    copy.write("ex2_post.py", RENAMED)
    worker = start()
    assert copy.run(PUBLISH) == "None\n"
    worker.wait_for(lambda: len(copy.notes()) == 5)
    name = f"{copy.package}.celery_tasks.ex2_post.deliver"
    assert sorted(copy.notes()) == sorted(f"{number} {name}" for number in ("one", "two", "three", "four", "five"))
    assert f"Task {name}[" in worker.output()
    assert "mail.post" not in worker.output().partition(" ready.")[2]


def test_a_worker_that_leaves_the_task_out_knows_its_old_names(copy, start, broker_url):
    copy.environment["CELERY_BROKER_URL"] = broker_url
    copy.write("ex2_post.py", RENAMED)
    copy.write_note_task("ex3_note.py")
    worker = start("--tasks", "ex3*")
    copy.run("from PACKAGE import app; app.send_task('mail.post', ('one',))")
    worker.wait_for(lambda: "mail.post is not selected" in worker.output())
    worker.stop_gently()
    other = start("--tasks", "ex2*")
    other.wait_for(lambda: len(copy.notes()) == 1)


def test_a_dead_letter_of_an_unknown_name_says_what_to_do_and_runs_when_requeued(copy, start):
    copy.write_note_task("ex3_note.py")
    worker = start()
    copy.run("from PACKAGE import app; app.send_task('mail.post', ('one',))")
    remedy = "no task file of this worker has mail.post, nor states it in old_names"
    worker.wait_for(lambda: remedy in worker.output())
    worker.stop_gently()
    copy.write("ex2_post.py", RENAMED)
    worker = start()
    done = copy.celery("dead-letters", "requeue", "--kind", "message.unknown_task")
    assert done.returncode == 0, done.stderr
    worker.wait_for(lambda: len(copy.notes()) == 1)


WRONG = """
    from PACKAGE import app

    @app.task(old_names="mail.post")
    def no_list(): ...

    @app.task(old_names=["PACKAGE.celery_tasks.ex1.no_list"])
    def of_another(): ...

    @app.task(old_names=["mail.send"])
    def one(): ...

    @app.task(old_names=["mail.send"])
    def two(): ...
"""


def test_old_names_that_cannot_be_are_told(copy):
    copy.write("ex1.py", WRONG)
    done = copy.celery("tasks", "check", "--json")
    assert done.returncode == 1
    told = [
        (row["line"], row["problem"].replace(f"{copy.package}.celery_tasks.ex1.", ""))
        for row in json.loads(done.stdout)
    ]
    assert told == [
        (4, "old_names of no_list is 'mail.post'"),
        (7, "the old name 'no_list' of of_another is also that of no_list"),
        (10, "the old name 'mail.send' of one is also that of two"),
        (13, "the old name 'mail.send' of two is also that of one"),
    ]
