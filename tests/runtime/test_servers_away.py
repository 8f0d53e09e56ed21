"""A publisher whose broker or results are away is told so within seconds, by one clear line."""

import socket

import pytest

ATTEMPT = """
    from celery_runtime.testing.clock import waited
    from PACKAGE.celery_tasks.ex1_note import note
    start = waited()
    try:
        note.apply_async(("x",), ignore_result=IGNORED)
    except Exception as error:
        print(f"{waited() - start:.1f} {type(error).__name__}: {error}")
"""


@pytest.fixture(params=["refuses", "is silent"])
def address(request):
    """The address of a server that is away."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        if request.param == "refuses":
            server.close()
        yield f"{host}:{port}"


@pytest.fixture
def attempt(copy):
    copy.write_note_task("ex1_note.py")

    def publish(ignored=False, **environment):
        printed = copy.run(ATTEMPT.replace("IGNORED", str(ignored)), **environment)
        seconds, _, told = printed.strip().partition(" ")
        return float(seconds), told

    return publish


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_is_away(attempt, address, scheme):
    seconds, told = attempt(ignored=True, CELERY_BROKER_URL=f"{scheme}://{address}/")
    assert seconds < 5
    assert told.startswith(f"OperationalError: the broker at {scheme}://")
    assert f"{address}/" in told


def test_results_that_are_away(attempt, address):
    url = f"redis://{address}/0"
    seconds, told = attempt(CELERY_RESULT_BACKEND=url)
    assert seconds < 5
    assert told.startswith(f"OperationalError: the results at {url} cannot be reached")
