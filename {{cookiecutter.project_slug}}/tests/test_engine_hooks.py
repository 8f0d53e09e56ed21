"""The machinery uses private parts of Celery and kombu. When one changes, this fails and names it."""

import inspect

import amqp.serialization
import celery.app.amqp
import kombu
import kombu.transport
import kombu.transport.redis
import pytest
import vine
from celery import _state
from celery.app import trace
from celery.app.task import Context
from celery.worker import strategy
from celery.worker.consumer import Consumer
from celery.worker.request import Request
from kombu.transport.virtual.base import BrokerState

REDIS = kombu.transport.redis.Channel

SIGNATURES = {
    celery.Celery._warn_duplicate_task_name: "(self, name, existing, new, consequence)",
    Consumer.on_unknown_task: "(self, body, message, exc)",
    Consumer.create_task_handler: f"(self, promise={vine.promise!r})",
    Consumer.apply_eta_task: "(self, task)",
    Consumer._limit_post_eta: "(self, request, bucket, tokens)",
    Consumer.call_soon: "(self, p, *args, **kwargs)",
    Consumer.connect: "(self)",
    Consumer.update_strategies: "(self)",
    Consumer.on_decode_error: "(self, message, exc)",
    Consumer.on_invalid_task: "(self, body, message, exc)",
    Request.on_timeout: "(self, soft, timeout)",
    Request.on_failure: "(self, exc_info, send_failed_event=True, return_ok=False)",
    Request._success_was_stored: "(self)",
    _state.get_current_task: "()",
    REDIS.priority: "(self, n)",
    REDIS._q_for_pri: "(self, queue, pri)",
    REDIS._put: "(self, queue, message, **kwargs)",
    REDIS._get_message_priority: "(self, message, reverse=False)",
    REDIS._lookup: "(self, exchange, routing_key, default=None)",
    BrokerState.has_binding: "(self, queue, exchange, routing_key)",
    amqp.serialization.decode_properties_basic: "(buf, offset)",
}


def test_the_versions_are_those_the_hooks_were_read_in():
    assert celery.__version__.startswith("5.7.")
    assert kombu.__version__.startswith("5.7.")


@pytest.mark.parametrize("hook", SIGNATURES, ids=lambda hook: hook.__qualname__)
def test_a_hook_is_called_as_before(hook):
    assert str(inspect.signature(hook)) == SIGNATURES[hook]


def test_a_task_that_calls_itself_is_told_from_its_own_run():
    assert Context._protected == 0
    assert "req._protected = 1" in inspect.getsource(trace._install_stack_protection)


def test_a_task_with_a_call_of_its_own_is_run_by_it():
    assert "fun = task if task_has_custom(task, '__call__') else task.run" in inspect.getsource(
        trace.build_tracer
    )


def test_self_retry_leaves_its_limit_on_the_task():
    assert "self.override_max_retries = max_retries" in inspect.getsource(celery.Task.retry)


def test_the_strategy_calls_back_the_consumer_when_a_message_is_due():
    source = inspect.getsource(strategy.default)
    assert "apply_eta_task = consumer.apply_eta_task" in source
    assert "limit_post_eta = consumer._limit_post_eta" in source


def test_messages_are_sent_by_one_function_that_an_amqp_class_can_wrap():
    assert hasattr(inspect.getattr_static(celery.app.amqp.AMQP, "send_task_message"), "__get__")
    assert celery.Celery.amqp_cls == "celery.app.amqp:AMQP"
    assert "amqp.send_task_message(P, name, message, **options)" in inspect.getsource(celery.Celery.send_task)


def test_redis_lists_are_read_in_the_order_of_the_steps():
    assert "for pri in self.priority_steps" in inspect.getsource(REDIS._brpop_start)


def test_the_transports_of_redis_are_named_by_aliases():
    assert {"redis", "rediss", "sentinel"} <= set(kombu.transport.TRANSPORT_ALIASES)


def test_a_task_names_the_class_of_its_requests():
    assert celery.Task.Request == "celery.worker.request:Request"
    assert "Request = symbol_by_name(task.Request)" in inspect.getsource(strategy.default)


def test_an_error_in_the_tracing_of_a_task_has_a_signal_of_its_own():
    source = inspect.getsource(trace.build_tracer)
    assert "_signal_internal_error(task, uuid, args, kwargs, request, exc)" in source


def test_a_message_is_read_from_redis_by_the_client_of_the_channel():
    source = inspect.getsource(REDIS._brpop_read)
    assert "self.client.parse_response(" in source
    assert "raise Empty()" in source


def test_the_properties_of_a_message_on_rabbitmq_are_read_by_a_table():
    content = amqp.serialization.GenericContent
    assert "PROPERTY_CLASSES[class_id]" in inspect.getsource(content._load_properties)
