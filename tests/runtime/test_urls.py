"""A URL with a slip in it is one line that names the variable and the remedy, and no piece of a password."""

import pytest

from celery_runtime import defaults
from celery_runtime.brokers import urls
from celery_runtime.environment import ConfigurationError

from .lending import app

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
    "an option of redis-py": "redis://:s3cr@host/0?health_check_interval=30",
    "an option of pika": "amqp://shop:s3cr@host//?heartbeat=10&connection_attempts=3",
    "an option of Celery's settings": "amqp://shop:s3cr@host//?connect_timeout=5",
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


OF_THE_BROKER = ("the second of two", "an option of redis-py")  # the results' Redis takes such options
SLIPS_OF_RESULTS = {
    **{name: url for name, url in SLIPS.items() if url.startswith("redis") and name not in OF_THE_BROKER},
    "a database without db+": "postgresql://shop:s3cr@host/shop",
    "a letter too many": "rediss//:s3cr@host/0",
    "a host": "s3cr:6379",
}
RIGHT_FOR_RESULTS = (
    *("redis://host/0?health_check_interval=30", "sentinel://host:26379/0", "rpc://", "cache+memcached://host/"),
    *(
        "db+postgresql://host/shop",
        "db+sqlite:///a.db",
        "file:///tmp",
        "shop.results:Backend",
        "shop.results.Backend://x",
    ),
)


@pytest.mark.parametrize("url", SLIPS_OF_RESULTS.values(), ids=SLIPS_OF_RESULTS)
def test_a_slip_in_the_url_of_the_results_is_one_line(url, monkeypatch):
    monkeypatch.setenv("CELERY_RESULT_BACKEND", url)
    told = refusal(lambda: urls.results_url("redis://host/0"))
    assert told.startswith("error: CELERY_RESULT_BACKEND ")
    assert "\n" not in told
    assert SECRET not in told.replace("'s3cr'", "")  # a scheme is shown


@pytest.mark.parametrize("url", RIGHT)
def test_what_is_right_is_returned_as_it_is(url, monkeypatch):
    monkeypatch.setenv("CELERY_BROKER_URL", url)
    assert urls.broker_url() == url


@pytest.mark.parametrize("url", RIGHT_FOR_RESULTS)
def test_what_is_right_for_results_is_returned_as_it_is(url, monkeypatch):
    monkeypatch.setenv("CELERY_RESULT_BACKEND", url)
    assert urls.results_url("redis://host/0") == url


@pytest.mark.parametrize("name", ["broker", "result_backend"])
def test_a_sentinel_whose_master_is_not_named_is_one_line(name):
    setting = "broker_url" if name == "broker" else name
    stated = {setting: "sentinel://:s3cr@host:26379/0"}
    told = refusal(lambda: defaults.settings("shop", lambda name, default: stated.get(name, default)))
    assert told.startswith(f"error: {name}_transport_options has no master_name")
    stated[f"{name}_transport_options"] = {"master_name": "shop"}
    defaults.settings("shop", lambda name, default: stated.get(name, default))


def test_spaces_around_a_url_are_taken_off(copy):
    # Celery reads these variables too, and takes them as they are.
    seen = copy.run(
        "from PACKAGE import app; print([app.conf.broker_url, app.conf.result_backend])",
        CELERY_BROKER_URL=" redis://host/0\n",
        CELERY_RESULT_BACKEND="redis://host/1 ",
    )
    assert seen.strip() == str(["redis://host/0", "redis://host/1"])


def test_results_are_kept_on_the_first_of_several_servers():
    assert urls.results_url("redis://a/0;redis://b/0") == "redis://a/0"


def test_production_keeps_no_results_in_the_file_of_development(monkeypatch):
    monkeypatch.delenv("CELERY_RESULT_BACKEND", raising=False)
    monkeypatch.setenv("APP_ENV", "production")
    default = "db+sqlite:///results.sqlite3"
    with pytest.raises(ConfigurationError, match="CELERY_RESULT_BACKEND is not set, and APP_ENV is 'production'"):
        urls.results_url("redis://127.0.0.1/0", default=default)
    monkeypatch.setenv("CELERY_RESULT_BACKEND", default)
    assert urls.results_url("redis://127.0.0.1/0", default=default) == default


@pytest.mark.parametrize(
    ("url", "shown"),
    [("redis://host:6379/0", "redis://host:6379/0"), ("redis://:secret@host:6379/0", "redis://:**@host:6379/0")],
)
def test_a_password_is_masked_where_there_is_one(url, shown):
    assert app().connection_for_read(url).as_uri() == shown
