import logging

from dcelery.celery_config import app

logging.basicConfig(filename="app.log", level=logging.ERROR, format="%(asctime)s %(levelname)s %(message)s")


@app.task(queue="tasks")
def my_task(number):
    try:
        if number == 1:
            raise ConnectionError("Connection Error Occurred...")
        if number == 2:
            raise ValueError("Value Error Occurred...")
        return f"number {number}"
    except ConnectionError:
        logging.error("Connection error occurred....")
        return "no connection"
    except ValueError:
        logging.error("Value error occurred...")
        raise


def run_tasks():
    for number in range(3):
        result = my_task.delay(number)
        print(number, result.get(timeout=20, propagate=False))
