"""Servers behind TLS: certificate and host name are verified by all that connects, unless the URL states otherwise.

`make tls` prints the table.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import redis

from celery_runtime.testing.worker import WorkerProcess
from scripts import servers
from scripts.rabbitmq_node import free_port, rabbitmq_node
from scripts.unavailable import Unavailable
from tests.availability import lent, unavailable

HOST = "127.0.0.1"
# The name that a certificate is for, and the days for which it holds.
SIGNED = {
    "server": (f"IP:{HOST}", "1"),
    "expired": (f"IP:{HOST}", "-1"),
    "stranger": ("DNS:stranger.example", "1"),
    "client": ("DNS:client", "1"),
}


def openssl(*arguments: str, folder: Path) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates() -> Iterator[Path]:
    """A folder with two authorities, `ca` and `other`, and what `ca` has signed, where the servers see it."""
    if shutil.which("openssl") is None:
        unavailable("openssl is not installed")
    with tempfile.TemporaryDirectory(prefix="certificates-", dir=servers.temporary_folder()) as name:
        yield signed_by_authorities(Path(name))


def signed_by_authorities(folder: Path) -> Path:
    folder.chmod(0o755)
    for name in ("ca", "other"):
        key = ("-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key")
        openssl("req", "-x509", *key, "-out", f"{name}.pem", "-subj", f"/CN={name}", "-days", "2", folder=folder)
    for name, (host, days) in SIGNED.items():
        key = ("-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key")
        openssl("req", *key, "-out", f"{name}.csr", "-subj", f"/CN={name}", folder=folder)
        (folder / "extensions").write_text(f"subjectAltName={host}\n")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "extensions")
        openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", "-days", days, *signed, folder=folder)
    for path in folder.iterdir():
        path.chmod(0o644)
    return folder


@contextmanager
def redis_behind_tls(folder: Path, name: str, asks: bool = False) -> Iterator[str]:
    """Lend the URL of a server with this certificate; with `asks`, it wants one of its clients."""
    try:
        binary = servers.redis_binary()
    except Unavailable as error:
        unavailable(str(error))
    port = free_port()
    files = ("--tls-cert-file", f"{name}.pem", "--tls-key-file", f"{name}.key", "--tls-ca-cert-file", "ca.pem")
    command = [str(binary), "--port", "0", "--tls-port", str(port), *files, "--save", ""]
    command += ["--tls-auth-clients", "yes" if asks else "no"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    own = {"ssl_certfile": folder / "client.pem", "ssl_keyfile": folder / "client.key"}
    try:
        for _ in range(500):
            try:
                redis.Redis(HOST, port, ssl=True, ssl_cert_reqs="none", **own).ping()
                break
            except redis.ConnectionError:
                time.sleep(0.02)
        yield f"rediss://{HOST}:{port}/0"
    finally:
        process.kill()
        process.wait()


@contextmanager
def rabbitmq_behind_tls(folder: Path, name: str, asks: bool = False) -> Iterator[str]:
    port = free_port()
    options = {
        "listeners.ssl.1": f"{HOST}:{port}",
        "ssl_options.cacertfile": servers.seen_by_rabbitmq(folder) / "ca.pem",
        "ssl_options.certfile": servers.seen_by_rabbitmq(folder) / f"{name}.pem",
        "ssl_options.keyfile": servers.seen_by_rabbitmq(folder) / f"{name}.key",
        "ssl_options.verify": "verify_peer" if asks else "verify_none",
        "ssl_options.fail_if_no_peer_cert": str(asks).lower(),
    }
    with lent(rabbitmq_node("".join(f"{option} = {value}\n" for option, value in options.items()))):
        yield f"amqps://guest:guest@{HOST}:{port}//"


SERVERS = {"redis": redis_behind_tls, "rabbitmq": rabbitmq_behind_tls}


TRUST, OWN = "?ssl_ca_certs={0}/ca.pem", "&ssl_certfile={0}/client.pem&ssl_keyfile={0}/client.key"
# The certificate of the server, whether it asks for one, the options of the URL, and what is told; empty if all works.
CASES = {
    "the right authority": ("server", False, TRUST, ""),
    "no authority": ("server", False, "", "certificate verify failed"),
    "another authority": ("server", False, "?ssl_ca_certs={0}/other.pem", "certificate verify failed"),
    "another name": ("stranger", False, TRUST, "IP address mismatch"),
    "expired": ("expired", False, TRUST, "certificate has expired"),
    "a certificate of the client": ("server", True, TRUST + OWN, ""),
    "none of the client": ("server", True, TRUST, "refused"),
    "not verified": ("expired", False, "?ssl_cert_reqs=none", ""),
    "any name": ("stranger", False, TRUST + "&ssl_check_hostname=false", ""),
}
REFUSED = ("certificate required", "Connection reset", "closed", "EOF", "Broken pipe", "handshake failure")
PUBLISH = "from PACKAGE.celery_tasks.ex1_note import note; note.delay('published')"
ASK_RESULTS = "from PACKAGE import app; app.backend.get('key')"
SCHEDULE = """
SCHEDULE = {"often": {"task": "shop.celery_tasks.ex1_note.note", "schedule": 0.5, "args": ("scheduled",)}}
"""


def told_by(run, *arguments: str, **environment: str) -> str:
    """Return what a process says that fails, and nothing of one that succeeds."""
    try:
        done = run(*arguments, **environment)
    except AssertionError as error:
        return str(error)
    return "" if isinstance(done, str) or done.returncode == 0 else str(done.stderr)


# A node of RabbitMQ takes seconds to start; `make tls` starts one for each row.
RARE = () if os.environ.get("TLS_ROWS") == "all" else ("no authority", "another authority", "not verified")
ROWS = [(broker, case) for broker in SERVERS for case in CASES if broker == "redis" or case not in RARE]


@pytest.mark.parametrize(("broker", "case"), ROWS)
def test_the_table(broker, case, certificates, copy, server):
    name, asks, options, refusal = CASES[case]
    copy.write_note_task()
    (copy.root / "shop/schedule.py").write_text(SCHEDULE)
    seen = {}
    with SERVERS[broker](certificates, name, asks=asks) as bare:
        url = bare + options.format(certificates)
        results = url if broker == "redis" and "check_hostname" not in url else server.url_of(3)
        urls = {"CELERY_BROKER_URL": url, "CELERY_RESULT_BACKEND": results}
        seen["publisher"] = told_by(copy.run, PUBLISH, **urls)
        seen["command"] = told_by(copy.celery, "queues", **urls)
        if results == url:
            seen["results"] = told_by(copy.run, ASK_RESULTS, **{**urls, "CELERY_BROKER_URL": server.url_of(4)})
        environment = {**copy.environment, **urls}
        worker = WorkerProcess("shop", copy.root / "worker.log", environment=environment)
        beat = WorkerProcess("shop", copy.root / "beat.log", command="beat", environment=environment)
        beat.command += ["--schedule", str(copy.root / "beat-schedule")]
        with ExitStack() as running:
            for process in (worker, beat):
                process.launch()
                running.callback(process.stop)
            if refusal:
                worker.wait_for(lambda: "waits for its broker" in worker.output())
                beat.wait_for(lambda: '"level": "error"' in beat.output())
            else:
                worker.wait_for(lambda: {"published", "scheduled"} <= set(copy.notes()))
            seen["worker"], seen["beat"] = (process.output() if refusal else "" for process in (worker, beat))
            probe = [sys.executable, "-I", "-S", str(copy.root / "celery_runtime/health.py"), "ready"]
            asked = subprocess.run(probe, env=worker.environment, capture_output=True, text=True, check=False)
            seen["probe"] = asked.stdout + asked.stderr if asked.returncode else ""
    print(
        f"\n{broker:9}{case:28}", *(f"{who} {'refused' if told else 'works'}" for who, told in seen.items()), sep=" | "
    )
    expected = {"": [""], "refused": REFUSED}.get(refusal, [refusal])
    assert [who for who, told in seen.items() if bool(told) != bool(refusal)] == []
    del seen["probe"]  # which says what the worker waits for, and not why
    assert [who for who, told in seen.items() if not any(text in told for text in expected)] == [], seen
