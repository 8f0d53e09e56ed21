"""Exceptions that do not pickle, raised in real tasks, and a client that retries on its own."""

import json
import socket
import threading
from contextlib import closing

import pytest

from celery_runtime.testing.http import AnsweringServer
from scripts.baking import BakedProject

from .runtime import errors_page
from .workers import running_worker

pytestmark = pytest.mark.baked

TASKS = """
import asyncio
import urllib.request

import aiohttp
import httpx
import requests

from ..celery_config import app
from celery_runtime import Retry

SOON = {"external.unavailable": Retry(attempts=3, base=0.1, cap=0.1)}


@app.task(queue="tasks", policy=SOON)
def by_urllib(url):
    urllib.request.urlopen(url).close()


@app.task(queue="tasks", policy=SOON)
def by_requests(url):
    requests.get(url, timeout=5).raise_for_status()


@app.task(queue="tasks", policy=SOON)
def by_httpx(url):
    httpx.get(url).raise_for_status()


@app.task(queue="tasks", policy=SOON)
def by_aiohttp(url):
    async def get():
        async with aiohttp.ClientSession(raise_for_status=True) as session, session.get(url):
            pass

    asyncio.run(get())
"""


@pytest.fixture
def project(copy_with_libraries) -> BakedProject:
    (copy_with_libraries.tasks / "ex1.py").write_text(TASKS)
    return copy_with_libraries


@pytest.mark.parametrize("library", ["urllib", "requests", "httpx", "aiohttp"])
def test_a_refusal_is_told_apart_in_the_process_that_saw_it(library, project, broker_url, redis_url, tmp_path):
    environment = {"CELERY_BROKER_URL": broker_url, "CELERY_RESULT_BACKEND": redis_url}
    with running_worker(project, tmp_path / "log", **environment) as worker:
        for answers, end in [((503, 503, 200), "succeeded"), ((404,), "raised unexpected")]:
            with AnsweringServer(*answers) as server:
                name = f"shop.celery_tasks.ex1.by_{library}"
                project.celery("call", name, "--args", f'["{server.url}"]', check=True, **environment)
                worker.wait_for(lambda end=end: end in worker.output())
                assert len(server.times) == len(answers)
    assert worker.output().count("kind=external.unavailable") == 2
    assert "kind=external.rejected" in worker.output()


def test_the_page_names_the_kinds_of_what_the_libraries_raise(project):
    found = json.loads(project.run(project.python, "-P", errors_page.__file__, check=True).stdout)
    told = {name: row.kind for row in errors_page.rows() for name in row.names()}
    wrong = {name: kind for name, kind in found.items() if not f"{kind}.".startswith(f"{told[name]}.")}
    assert not wrong
    assert len(found) == len(told)


def test_redis_py_retries_on_its_own_before_a_task_sees_an_error(project):
    """A policy of three attempts is then many more connections: the documentation says so."""
    connections = 0

    def hang_up(server: socket.socket) -> None:
        nonlocal connections
        while True:
            try:
                server.accept()[0].close()
            except OSError:
                return
            connections += 1

    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        threading.Thread(target=hang_up, args=(server,), daemon=True).start()
        port = server.getsockname()[1]
        code = f"import redis\ntry: redis.Redis(port={port}).ping()\nexcept redis.ConnectionError: print('refused')"
        done = project.run(project.python, "-c", code)
        server.shutdown(socket.SHUT_RDWR)
    assert done.stdout == "refused\n"
    assert connections > 3
