from .crash_tasks import prepare, publish

PUBLISH = """
    from PACKAGE.celery_tasks import ex1_note, ex2_note
    for number in range(4):
        ex1_note.note.delay(f"one {number}")
        ex2_note.note.delay(f"two {number}")
"""
ALL = sorted(f"{name} {number}" for name in ("one", "two") for number in range(4))


def test_two_workers_with_different_selections_on_one_queue_run_everything(copy, start, broker_url):
    copy.write_note_task("ex1_note.py")
    copy.write_note_task("ex2_note.py")
    only_one = start("--tasks", "ex1*", CELERY_BROKER_URL=broker_url)
    copy.run(PUBLISH, CELERY_BROKER_URL=broker_url)
    only_one.wait_for(lambda: len(copy.notes()) == 4 and "is not selected" in only_one.output())
    assert all(note.startswith("one") for note in copy.notes())

    start(CELERY_BROKER_URL=broker_url, CELERY_TASK_MODULES="ex2*")
    only_one.wait_for(lambda: sorted(copy.notes()) == ALL)
    assert only_one.output().count("is not selected") == 1
    assert "unregistered" not in only_one.output()


def test_a_task_with_a_name_of_its_own_is_known_to_be_left_out(copy, start, broker_url):
    copy.write_note_task("ex1_note.py")
    copy.write("ex2.py", "from PACKAGE import app\n\n@app.task(name='mail.send')\ndef send(): ...\n")
    worker = start("--tasks", "ex1*", CELERY_BROKER_URL=broker_url)
    copy.run("from PACKAGE import app; app.send_task('mail.send')", CELERY_BROKER_URL=broker_url)
    worker.wait_for(lambda: "mail.send is not selected" in worker.output())
    worker.stop_gently()  # or the message goes round while the broker is emptied


def test_a_selection_that_matches_nothing_keeps_the_worker_from_starting(copy):
    copy.write_note_task("ex1_note.py")
    done = copy.celery("worker", "--tasks", "ex1*,ex7*")
    assert done.returncode == 1
    assert "'ex7*' matches no task module. There are: ex1_note" in done.stderr


def test_a_task_that_was_lost_stays_suspect_when_a_worker_leaves_it_out(copy, start, broker_url):
    project = prepare(copy, broker_url)
    publish(project, "kills_its_worker.delay()")
    start().process.wait(timeout=60)
    leaves_it_out = start("--tasks", "ex2*")
    leaves_it_out.wait_for(lambda: "kills_its_worker is not selected" in leaves_it_out.output())
    leaves_it_out.stop_gently()
    start().process.wait(timeout=60)
    last = start()
    last.wait_for(lambda: "stored as a dead letter" in last.output())
    assert project.notes().count("kills") == 2
