from celery import group
from celery.result import AsyncResult
from dcelery.celery_config import app


@app.task(queue="tasks")
def my_task(number):
    if number == 3:
        raise ValueError("Error Number is Invalid")
    return number * 2


def handle_result(result):
    if result.successful():
        print(f"Task completed: {result.get()}")
    elif result.failed() and isinstance(result.result, ValueError):
        print(f"Task failed: {result.result}")
    elif result.status == "REVOKED":
        print(f"Task was revoked: {result.id}")


def run_tasks():
    task_group = group(my_task.s(i) for i in range(5))
    result_group = task_group.apply_async()
    print("Waiting for results...")
    result_group.get(timeout=20, propagate=False)

    for result in result_group.children:
        handle_result(result)

    for result in result_group.children:
        again = AsyncResult(result.id, app=app)
        print(again.status, again.get(timeout=20, propagate=False))
