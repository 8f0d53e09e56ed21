import logging

from dcelery.celery_config import app

logging.basicConfig(filename="app.log", level=logging.ERROR, format="%(asctime)s %(levelname)s %(message)s")


@app.task(
    queue="tasks",
    autoretry_for=(ConnectionError,),
    default_retry_delay=5,
    retry_kwargs={"max_retries": 2},
)
def my_task():
    print("Trying to connect")
    raise ConnectionError("Connection Error Occurred...")


def run_tasks():
    my_task.delay()
