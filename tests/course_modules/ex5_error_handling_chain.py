from celery import chain
from dcelery.celery_config import app


@app.task(queue="tasks")
def add(x, y):
    return x + y


@app.task(queue="tasks")
def multiply(z):
    if z == 5:
        raise ValueError("Error wrong number...")
    return z * 2


@app.task(queue="tasks")
def handle_error(request, exc, traceback):
    print(f"Chain failed at {request.task}: {exc}")


def run_tasks():
    working_chain = chain(add.s(2, 4), multiply.s(), multiply.s())
    print("Chain completed:", working_chain.apply_async().get(timeout=20))

    failing_chain = chain(add.s(2, 3), multiply.s(), multiply.s())
    result = failing_chain.apply_async(link_error=handle_error.s())
    result.get(timeout=20, propagate=False)
    while result is not None:
        print(result.status, result.result)
        result = result.parent
