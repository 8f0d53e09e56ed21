"""The machinery uses private parts of Celery and kombu. When one changes, this fails and names it."""

import inspect

import celery.app.amqp
import kombu
import kombu.transport
import kombu.transport.redis
import pytest
from celery.worker.consumer import Consumer

REDIS = kombu.transport.redis.Channel

SIGNATURES = {
    celery.Celery._warn_duplicate_task_name: "(self, name, existing, new, consequence)",
    Consumer.on_unknown_task: "(self, body, message, exc)",
    REDIS.priority: "(self, n)",
    REDIS._q_for_pri: "(self, queue, pri)",
}


def test_the_versions_are_those_the_hooks_were_read_in():
    assert celery.__version__.startswith("5.7.")
    assert kombu.__version__.startswith("5.7.")


@pytest.mark.parametrize("hook", SIGNATURES, ids=lambda hook: hook.__qualname__)
def test_a_hook_is_called_as_before(hook):
    assert str(inspect.signature(hook)) == SIGNATURES[hook]


def test_messages_are_sent_by_one_function_that_an_amqp_class_can_wrap():
    assert hasattr(inspect.getattr_static(celery.app.amqp.AMQP, "send_task_message"), "__get__")
    assert celery.Celery.amqp_cls == "celery.app.amqp:AMQP"
    assert "amqp.send_task_message(P, name, message, **options)" in inspect.getsource(celery.Celery.send_task)


def test_redis_lists_are_read_in_the_order_of_the_steps():
    assert "for pri in self.priority_steps" in inspect.getsource(REDIS._brpop_start)


def test_the_transports_of_redis_are_named_by_aliases():
    assert {"redis", "rediss", "sentinel"} <= set(kombu.transport.TRANSPORT_ALIASES)
