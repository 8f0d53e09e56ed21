from celery import group
from dcelery.celery_config import app

app.conf.task_acks_late = True
app.conf.task_default_delivery_mode = "persistent"
app.conf.worker_prefetch_multiplier = 1


@app.task(queue="tasks")
def my_task(number):
    try:
        if number == 2:
            raise ValueError("Error wrong number...")
    except Exception as e:
        handle_failed_task.apply_async(args=(number, str(e)))
        archive_failed_task.apply_async(args=(number,), queue="dead_letter")
        raise


@app.task(queue="dead_letter")
def handle_failed_task(number, exception):
    print(f"Custom logic to process {number}: {exception}")


@app.task(queue="tasks")
def archive_failed_task(number):
    print(f"Archived {number}")


def run_tasks():
    task_group = group(my_task.s(1), my_task.s(2), my_task.s(3))
    task_group.apply_async()
