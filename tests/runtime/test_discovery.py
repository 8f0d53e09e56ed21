import json


def test_the_pattern_is_one_setting(copy):
    for file in ("job_mail.py", "ex1.py"):
        copy.write_note_task(file)
    copy.change("settings.py", '"ex*.py"', '"job_*.py"')
    rows = json.loads(copy.celery("tasks", "list", "--json").stdout)
    assert [row["file"] for row in rows] == [f"{copy.package}/celery_tasks/job_mail.py"]


def test_the_folder_is_the_packages_own_wherever_a_worker_starts(copy, start):
    copy.write_note_task()
    worker = start()  # in the folder /
    copy.run("from PACKAGE.celery_tasks.ex1_note import note; note.delay('ran')")
    worker.wait_for(lambda: copy.notes() == ["ran"])
