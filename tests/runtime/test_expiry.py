import pytest

TASKS = """
    import time
    from pathlib import Path

    from PACKAGE.celery_config import app

    @app.task(queue="tasks")
    def sleep(seconds):
        time.sleep(seconds)

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
