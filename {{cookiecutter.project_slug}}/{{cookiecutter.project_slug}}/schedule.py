"""What beat publishes, and when, in the time zone of the settings. It is yours to change; one beat runs: `make beat`."""

from celery.schedules import crontab

TASKS = f"{__package__}.celery_tasks"

SCHEDULE: dict[str, dict[str, object]] = {
    "tidy up at night": {
        "task": f"{TASKS}.ex13_task_schedule_crontab.tidy_up",
        "schedule": crontab(hour=3, minute=30),
        "options": {"expires": 12 * 60 * 60},  # seconds
    },
}
