"""Servers behind TLS: certificate and host name are verified by all that connects, unless the URL states otherwise."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from scripts.rabbitmq_node import free_port, rabbitmq_node
from tests.availability import lent, unavailable

HOST = "127.0.0.1"
PUBLISH = "from PACKAGE.celery_tasks.ex1_note import note; print(note.delay('by TLS').id)"


def openssl(*arguments: str, folder: Path) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> Path:
    """A folder with two authorities, `ca` and `other`, and what `ca` has signed: `server`, `stranger` and `client`."""
    if shutil.which("openssl") is None:
        unavailable("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("ca", "other"):
        key = ("-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key")
        openssl("req", "-x509", *key, "-out", f"{name}.pem", "-subj", f"/CN={name}", "-days", "2", folder=folder)
    for name, host in (("server", f"IP:{HOST}"), ("stranger", "DNS:stranger.example"), ("client", "DNS:client")):
        key = ("-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key")
        openssl("req", *key, "-out", f"{name}.csr", "-subj", f"/CN={name}", folder=folder)
        (folder / "extensions").write_text(f"subjectAltName={host}\n")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "extensions")
        openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", "-days", "1", *signed, folder=folder)
    for path in folder.iterdir():
        path.chmod(0o644)
    return folder


@contextmanager
def redis_behind_tls(folder: Path, name: str, asks: bool = False) -> Iterator[str]:
    """Lend the URL of a server with this certificate; with `asks`, it wants one of its clients."""
    binary = shutil.which("redis-server")
    if binary is None:
        unavailable("redis-server is not installed")
    port = free_port()
    files = ("--tls-cert-file", f"{name}.pem", "--tls-key-file", f"{name}.key", "--tls-ca-cert-file", "ca.pem")
    command = [binary, "--port", "0", "--tls-port", str(port), *files, "--save", ""]
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
        "ssl_options.cacertfile": folder / "ca.pem",
        "ssl_options.certfile": folder / f"{name}.pem",
        "ssl_options.keyfile": folder / f"{name}.key",
        "ssl_options.verify": "verify_peer" if asks else "verify_none",
        "ssl_options.fail_if_no_peer_cert": str(asks).lower(),
    }
    with lent(rabbitmq_node("".join(f"{option} = {value}\n" for option, value in options.items()))):
        yield f"amqps://guest:guest@{HOST}:{port}//"


SERVERS = {"redis": redis_behind_tls, "rabbitmq": rabbitmq_behind_tls}


@pytest.mark.parametrize("broker", SERVERS)
def test_a_server_is_verified_by_all_that_connects(broker, certificates, copy, start, server):
    ca, other = certificates / "ca.pem", certificates / "other.pem"
    copy.write_note_task()
    with SERVERS[broker](certificates, "server") as url:
        results = url if broker == "redis" else server.url_of(3)
        trusting = {"CELERY_BROKER_URL": f"{url}?ssl_ca_certs={ca}", "CELERY_RESULT_BACKEND": results}
        if broker == "redis":
            trusting["CELERY_RESULT_BACKEND"] += f"?ssl_ca_certs={ca}"
        copy.run(PUBLISH, **trusting)
        assert copy.celery("queues", **trusting).returncode == 0
        worker = start(**trusting)
        worker.wait_for(lambda: copy.notes() == ["by TLS"])
        for distrusted in (url, f"{url}?ssl_ca_certs={other}"):
            urls = {**trusting, "CELERY_BROKER_URL": distrusted}
            told = copy.celery("queues", **urls)
            assert (told.returncode, "certificate verify failed" in told.stderr) == (1, True), told.stderr
            with pytest.raises(AssertionError, match="certificate verify failed"):
                copy.run(PUBLISH, **urls)
        unverified = {**trusting, "CELERY_BROKER_URL": f"{url}?ssl_cert_reqs=none"}
        assert copy.celery("queues", **unverified).returncode == 0


@pytest.mark.parametrize("broker", SERVERS)
def test_the_name_of_a_server_is_verified(broker, certificates, copy, server):
    copy.write_note_task()
    with SERVERS[broker](certificates, "stranger") as url:
        urls = {"CELERY_BROKER_URL": f"{url}?ssl_ca_certs={certificates / 'ca.pem'}"}
        urls["CELERY_RESULT_BACKEND"] = server.url_of(3)
        told = copy.celery("queues", **urls)
        assert told.returncode == 1
        assert "IP address mismatch" in told.stderr
        urls["CELERY_BROKER_URL"] += "&ssl_check_hostname=false"
        assert copy.celery("queues", **urls).returncode == 0


def test_the_server_of_the_results_is_verified(certificates, copy, server):
    copy.write_note_task()
    ask = "from PACKAGE import app; app.backend.get('key'); print('trusted')"
    with redis_behind_tls(certificates, "server") as url:
        urls = {
            "CELERY_BROKER_URL": server.url,
            "CELERY_RESULT_BACKEND": f"{url}?ssl_ca_certs={certificates / 'ca.pem'}",
        }
        assert copy.run(ask, **urls) == "trusted\n"
        with pytest.raises(AssertionError, match="certificate verify failed"):
            copy.run(ask, **{**urls, "CELERY_RESULT_BACKEND": url})
    with redis_behind_tls(certificates, "stranger") as url:
        urls["CELERY_RESULT_BACKEND"] = f"{url}?ssl_ca_certs={certificates / 'ca.pem'}"
        with pytest.raises(AssertionError, match="IP address mismatch"):
            copy.run(ask, **urls)


@pytest.mark.parametrize("broker", SERVERS)
def test_a_server_that_asks_for_a_certificate_gets_it(broker, certificates, copy, server):
    copy.write_note_task()
    with SERVERS[broker](certificates, "server", asks=True) as url:
        urls = {"CELERY_BROKER_URL": f"{url}?ssl_ca_certs={certificates / 'ca.pem'}"}
        urls["CELERY_RESULT_BACKEND"] = server.url_of(3)
        assert copy.celery("queues", **urls).returncode == 1
        own = f"&ssl_certfile={certificates / 'client.pem'}&ssl_keyfile={certificates / 'client.key'}"
        urls["CELERY_BROKER_URL"] += own
        done = copy.celery("queues", **urls)
        assert done.returncode == 0, done.stderr
