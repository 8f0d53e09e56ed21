import pytest

TASKS = """
    import time
    from pathlib import Path

    from PACKAGE.celery_config import app

    @app.task(queue="tasks")
    def sleep(seconds):
        time.sleep(seconds)

    @app.task(queue="tasks", ignore_result=True)
    def end():
        note()

    @app.task(queue="tasks")
    def note():
        with Path("NOTES_FILE").open("a") as file:
            file.write("run\\n")
"""


@pytest.mark.parametrize("expires", [0.2, -1])
def test_what_has_expired_is_not_run_and_whoever_waits_is_told(running, expires):
    project, _ = running
    state = project.run(
        f"""
        from PACKAGE.celery_tasks.ex1 import note, sleep
        sleep.delay(1)
        late = note.apply_async(expires={expires})
        late.get(timeout=30, propagate=False)
        print(late.state)
        """
    )
    assert state.strip() == "REVOKED"
    assert project.notes() == []


def test_what_has_expired_while_the_results_are_away_stops_no_other_task(copy, start):
    copy.write("ex1.py", TASKS)
    copy.run("""
        import time
        from PACKAGE.celery_tasks.ex1 import end, note
        note.apply_async(expires=0.1)
        note.apply_async(expires=0.1)
        time.sleep(0.2)
        end.delay()
    """)
    worker = start(CELERY_RESULT_BACKEND="redis://127.0.0.1:1/0")
    worker.wait_for(lambda: copy.notes() == ["run"])
    assert worker.output().count("is revoked was not stored") == 2
    assert "Connection to broker lost" not in worker.output()
