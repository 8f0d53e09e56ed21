"""A URL with a slip in it is one line that names the variable and the remedy, and no piece of a password."""

import pytest

from celery_runtime.brokers import urls
from celery_runtime.environment import ConfigurationError

SECRET = "s3cr"
SLIPS = {
    "# in the password": "redis://:s3cr#et@host/0",
    "# after a number": "redis://:33#s3cr@host/0",
    "/ in the password": "redis://:s3cr/et@host/0",
    "/ after a number": "amqp://shop:33/s3cr@host//",
    "? in the password": "redis://:s3cr?et@host/0",
    "? after a number": "amqp://shop:33?s3cr@host//",
    "[ in the password": "redis://:s3cr[et@host/0",
    "no port": "redis://:s3cr@host:port/0",
    "no such port": "redis://:s3cr@host:70000/0",
    "port 0": "redis://:s3cr@host:0/0",
    "no database": "redis://:s3cr@host/zero",
    "two databases": "redis://:s3cr@host/0/1",
    "half an IPv6 address": "redis://:s3cr@[::1",
    "# in a password of RabbitMQ": "amqp://shop:s3cr#et@host//",
    "the second of two": "redis://a/0;redis://:s3cr#et@b/0",
    "no // after the scheme": "redis::s3cr@host/0",
    "how to verify": "rediss://:s3cr@host/0?ssl_cert_reqs=perhaps",
    "a file that is not there": "rediss://:s3cr@host/0?ssl_ca_certs=/not/there.pem",
    "a file of RabbitMQ's that is not there": "amqps://shop:s3cr@host//?ssl_keyfile=/not/there.pem",
}
RIGHT = (
    *("redis://host", "redis://host/0", "redis://:p%23w@host:6379/15", "redis://user:p@ss@[::1]:6379/0", "redis:///2"),
    *("redis+socket:///tmp/a.sock?virtual_host=1", "sentinel://host:26379/0;sentinel://other:26379/0"),
    *("redis://a/0;redis://b/0", "rediss://host/0?ssl_cert_reqs=CERT_NONE", "amqp://host", "amqp://guest:p%2Fw@host//"),
    *("amqps://host:5671/shop?heartbeat=10", "pyamqp://guest@host/%2Fshop"),
)


@pytest.fixture(autouse=True)
def unset(monkeypatch):
    monkeypatch.setenv("APP_ENV", "test")
    monkeypatch.delenv("CELERY_RESULT_BACKEND", raising=False)


def refusal(ask) -> str:
    with pytest.raises(ConfigurationError) as refused:
        ask()
    return str(refused.value)


@pytest.mark.parametrize("url", SLIPS.values(), ids=SLIPS)
def test_a_slip_in_the_url_of_the_broker_is_one_line(url, monkeypatch):
    monkeypatch.setenv("CELERY_BROKER_URL", url)
    told = refusal(urls.broker_url)
    assert told.startswith("error: CELERY_BROKER_URL ")
    assert "\n" not in told
    assert SECRET not in told


@pytest.mark.parametrize("url", [url for url in SLIPS.values() if url.startswith("redis") and ";" not in url])
def test_a_slip_in_the_url_of_the_results_is_one_line(url, monkeypatch):
    monkeypatch.setenv("CELERY_RESULT_BACKEND", url)
    if not urls.is_redis(url):
        return  # Celery has other back ends, and says which
    told = refusal(lambda: urls.results_url("redis://host/0"))
    assert told.startswith("error: CELERY_RESULT_BACKEND ")
    assert SECRET not in told


@pytest.mark.parametrize("url", RIGHT)
def test_what_is_right_is_returned_as_it_is(url, monkeypatch):
    monkeypatch.setenv("CELERY_BROKER_URL", url)
    assert urls.broker_url() == url


def test_results_are_kept_on_the_first_of_several_servers():
    assert urls.results_url("redis://a/0;redis://b/0") == "redis://a/0"
