import sys

from dcelery.celery_config import app


@app.task(queue="tasks")
def long_running_task(fails=False):
    if fails:
        raise ValueError("Something went wrong")
    return "I finished my job"


@app.task(queue="tasks")
def process_task_result(result):
    sys.stdout.write(f"process_task_result: {result}")
    sys.stdout.flush()


@app.task(queue="tasks")
def error_handler(task_id, exc, traceback):
    sys.stdout.write(f"error_handler: {exc}")
    sys.stdout.flush()


@app.task(queue="tasks")
def notify_admin(task_id):
    print(f"notify_admin: {task_id}")


def run_tasks():
    long_running_task.apply_async(link=[process_task_result.s()], link_error=[error_handler.s()])
    long_running_task.apply_async(args=[True], link_error=[error_handler.s(), notify_admin.s()])
