"""A virtual host of its own on a RabbitMQ that runs already, so that nothing of others is touched."""

import base64
import json
import os
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from .unavailable import Unavailable

# The server, and where its management plugin listens if it has one.
SERVER = os.environ.get("RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672")
MANAGEMENT = os.environ.get("RABBITMQ_MANAGEMENT_URL", "http://127.0.0.1:15672")


@contextmanager
def virtual_host(queue_type: str = "classic") -> Iterator[str]:
    """Make a virtual host with this default for its queues, lend its URL, and delete it with all that is in it.

    Raises:
        Unavailable: with the reason and the remedy, in one line.
    """
    server = urlsplit(SERVER)
    try:
        socket.create_connection((server.hostname, server.port or 5672), timeout=2).close()
    except OSError as error:
        raise Unavailable(f"no RabbitMQ answers at {server.hostname}:{server.port} ({error}); start one") from None
    name = f"cookiecutter-celery-{uuid.uuid4().hex[:12]}"
    user = server.username or "guest"
    administer = _by_management if _has_management() else _by_rabbitmqctl
    administer("add", name, user, queue_type)
    try:
        yield f"{SERVER.rstrip('/')}/{name}"
    finally:
        administer("delete", name, user, queue_type)


def _has_management() -> bool:
    try:
        _request("GET", "/api/overview")
    except OSError:
        return False
    return True


def _by_management(action: str, name: str, user: str, queue_type: str) -> None:
    if action == "delete":
        _request("DELETE", f"/api/vhosts/{name}")
        return
    _request("PUT", f"/api/vhosts/{name}", json.dumps({"default_queue_type": queue_type}).encode())
    _request("PUT", f"/api/permissions/{name}/{user}", b'{"configure": ".*", "write": ".*", "read": ".*"}')


def _request(method: str, path: str, body: bytes | None = None) -> None:
    server = urlsplit(SERVER)
    login = base64.b64encode(f"{server.username}:{server.password}".encode()).decode()
    headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
    request = urllib.request.Request(MANAGEMENT + path, data=body, headers=headers, method=method)
    urllib.request.urlopen(request, timeout=10).close()


def _by_rabbitmqctl(action: str, name: str, user: str, queue_type: str) -> None:
    if shutil.which("rabbitmqctl") is None:
        raise Unavailable(
            f"a virtual host needs RabbitMQ's management plugin at {MANAGEMENT} "
            "(set RABBITMQ_MANAGEMENT_URL), or rabbitmqctl"
        )
    commands = [["delete_vhost", name]]
    if action == "add":
        made = ["add_vhost", name, "--default-queue-type", queue_type]
        commands = [made, ["set_permissions", "--vhost", name, user, ".*", ".*", ".*"]]
    for command in commands:
        done = subprocess.run(["rabbitmqctl", "--quiet", *command], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            reason = (done.stderr or done.stdout).strip().splitlines()
            raise Unavailable(f"rabbitmqctl {command[0]} failed: {reason[-1] if reason else done.returncode}")
