"""The machinery uses private parts of Celery and kombu. When one changes, this fails and names it."""

import inspect
import itertools
import re

import amqp.channel
import amqp.method_framing
import amqp.serialization
import amqp.spec
import celery.app.amqp
import kombu
import kombu.connection
import kombu.pools
import kombu.transport.redis
import kombu.transport.virtual
import pytest
import vine
from celery import _state
from celery.app import trace
from celery.app.task import Context
from celery.apps.worker import Worker
from celery.backends.base import Backend
from celery.backends.redis import ResultConsumer
from celery.concurrency.asynpool import AsynPool
from celery.worker import strategy
from celery.worker.consumer import Consumer
from celery.worker.request import Request
from kombu import Connection
from kombu.asynchronous.semaphore import LaxBoundedSemaphore
from kombu.transport.virtual.base import BrokerState

from celery_runtime.brokers.rabbitmq_names import NAMES

REDIS = kombu.transport.redis.Channel
POLLER = kombu.transport.redis.MultiChannelPoller

ENSURE_CONNECTION = (
    "(self, errback=None, max_retries=None, interval_start=2, interval_step=2, interval_max=30, "
    "callback=None, reraise_as_library_errors=True, timeout=None)"
)

SIGNATURES = {
    REDIS.basic_consume: "(self, queue, *args, **kwargs)",
    REDIS.close: "(self)",
    kombu.transport.redis.QoS.restore_unacked_once: "(self, stderr=None)",
    REDIS._brpop_start: "(self, timeout=None)",
    REDIS._brpop_read: "(self, **options)",
    REDIS._do_restore_message: "(self, payload, exchange, routing_key, pipe, leftmost=False)",
    kombu.transport.redis.QoS.append: "(self, message, delivery_tag)",
    ResultConsumer._drain_one: "(self, pubsub, timeout)",
    celery.Celery._get_backend: "(self)",
    Backend._fail_chain: "(self, chain, exc, traceback=None, store_result=True, state='FAILURE')",
    Backend.chord_error_from_stack: "(self, callback, exc=None)",
    celery.Celery._warn_duplicate_task_name: "(self, name, existing, new, consequence)",
    amqp.Channel.send_method: (
        "(self, sig, format=None, args=None, content=None, wait=None, callback=None, returns_tuple=False)"
    ),
    Consumer.on_unknown_task: "(self, body, message, exc)",
    Consumer.create_task_handler: f"(self, promise={vine.promise!r})",
    Consumer.apply_eta_task: "(self, task)",
    Consumer._limit_post_eta: "(self, request, bucket, tokens)",
    Consumer.call_soon: "(self, p, *args, **kwargs)",
    Consumer.connect: "(self)",
    Consumer.ensure_connected: "(self, conn)",
    Consumer._get_connection_retry_type: "(self, is_connection_loss_on_startup)",
    Consumer.on_ready: "(self)",
    Consumer.shutdown: "(self)",
    Consumer.update_strategies: "(self)",
    Consumer.on_decode_error: "(self, message, exc)",
    Consumer.on_invalid_task: "(self, body, message, exc)",
    Request.on_timeout: "(self, soft, timeout)",
    Request.on_failure: "(self, exc_info, send_failed_event=True, return_ok=False)",
    Request._success_was_stored: "(self)",
    Request._announce_revoked: "(self, reason, terminated, signum, expired)",
    Request.cancel: "(self, pool, signal=None, emit_retry=True)",
    Worker.on_start: "(self)",
    Worker.wait_for_soft_shutdown: "(self)",
    Worker.register_with_event_loop: "(self, hub)",
    Worker._process_task: "(self, req)",
    AsynPool._create_timelimit_handlers: "(self, hub)",
    AsynPool._event_process_exit: "(self, hub, proc)",
    AsynPool._on_soft_timeout: "(self, job, soft, hard, hub)",
    AsynPool._on_hard_timeout: "(self, job)",
    AsynPool._track_child_process: "(self, proc, hub)",
    Connection._ensure_connection: ENSURE_CONNECTION,
    _state.get_current_task: "()",
    REDIS.priority: "(self, n)",
    kombu.transport.redis.QoS.restore_unacked: "(self, client=None)",
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


def test_the_timer_of_a_limit_is_known_by_its_job():
    handlers = inspect.getsource(AsynPool._create_timelimit_handlers)
    assert "def on_timeout_set(R, soft, hard)" in handlers
    assert "trefs[R._job] = call_later(" in handlers
    assert "def on_timeout_cancel(R)" in handlers
    assert "self._apply_result = maybe(ref, result)" in inspect.getsource(Request.execute_using_pool)


def test_a_task_that_calls_itself_is_told_from_its_own_run():
    assert Context._protected == 0
    assert "req._protected = 1" in inspect.getsource(trace._install_stack_protection)


def test_a_task_with_a_call_of_its_own_is_run_by_it():
    assert "fun = task if task_has_custom(task, '__call__') else task.run" in inspect.getsource(trace.build_tracer)


def test_self_retry_leaves_its_limit_on_the_task():
    assert "self.override_max_retries = max_retries" in inspect.getsource(celery.Task.retry)


def test_the_strategy_holds_a_request_by_its_eta_alone():
    source = inspect.getsource(strategy.default)
    assert "if req.eta:" in source
    assert "if eta and bucket:" in source
    assert "if eta:" in source


def test_all_that_is_published_on_rabbitmq_is_published_by_one_function():
    assert amqp.Channel.basic_publish is amqp.Channel._basic_publish
    assert "self._basic_publish(*args, **kwargs)" in inspect.getsource(amqp.Channel.basic_publish_confirm)


def test_the_names_of_queues_and_exchanges_come_first_in_what_is_sent():
    sent = re.findall(
        r"send_method\(\s*spec\.(\w+)\.(\w+), argsig,\s*\(\s*0, ([\w, ]+)", inspect.getsource(amqp.channel)
    )
    found = {}
    for group, method, arguments in sent:
        names = itertools.takewhile({"queue", "exchange", "destination", "source"}.__contains__, arguments.split(", "))
        found[getattr(getattr(amqp.spec, group), method)] = len(list(names))
    assert {method: number for method, number in found.items() if number} == NAMES
    assert "(0, exchange, routing_key, mandatory, immediate)" in inspect.getsource(amqp.Channel._basic_publish)
    declared = inspect.getsource(amqp.Channel.queue_declare)
    assert re.search(r"nowait, arguments\),\s*\)", declared)


def test_the_transport_of_redis_has_its_qos_requeue_what_nobody_renews():
    for look in ("on_poll_init", "maybe_restore_messages"):
        assert "channel.qos.restore_visible(" in inspect.getsource(getattr(POLLER, look))


def test_messages_are_sent_by_one_function_that_an_amqp_class_can_wrap():
    assert hasattr(inspect.getattr_static(celery.app.amqp.AMQP, "send_task_message"), "__get__")
    assert celery.Celery.amqp_cls == "celery.app.amqp:AMQP"
    assert "amqp.send_task_message(P, name, message, **options)" in inspect.getsource(celery.Celery.send_task)


def test_what_follows_a_task_is_published_with_a_policy_of_its_own():
    assert "_callback_publish_retry.set(True)" in inspect.getsource(celery.app.amqp.AMQP._retry_publish)
    sender = inspect.getsource(celery.app.amqp.AMQP._create_task_sender)
    assert "retry and _callback_publish_retry.get()" in sender


def test_what_is_held_on_redis_is_a_hash_and_a_sorted_set_by_the_tag_of_the_message():
    append = inspect.getsource(kombu.transport.redis.QoS.append)
    assert "zadd(self.unacked_index_key" in append
    assert "dumps([message._raw, EX, RK])" in append


def test_the_answer_of_redis_is_read_by_the_client_and_delivered_by_the_list_it_is_from():
    read = inspect.getsource(REDIS._brpop_read)
    assert "self.client.parse_response" in read
    assert "rsplit(self.sep, 1)[0]" in read
    assert "key = key[len(self.global_keyprefix):]" in inspect.getsource(
        kombu.transport.redis.GlobalKeyPrefixMixin.parse_response
    )


def test_what_a_channel_of_redis_gives_back_is_what_it_has_delivered():
    assert "for tag in self._delivered" in inspect.getsource(kombu.transport.redis.QoS.restore_unacked)
    append = inspect.getsource(kombu.transport.virtual.QoS.append)
    assert "self._quick_append(delivery_tag, message)" in append
    assert "self.channel.basic_ack(self.delivery_tag" in inspect.getsource(kombu.Message.ack)


def test_an_app_connects_by_a_class_of_its_own_and_pools_what_that_makes():
    assert "self.amqp.Connection(" in inspect.getsource(celery.Celery._connection)
    assert "PooledConnection(self, **" in inspect.getsource(kombu.connection.ConnectionPool.new)
    assert "connection.Pool(" in inspect.getsource(kombu.pools.Connections.create)


def test_a_task_names_the_class_of_its_requests():
    assert celery.Task.Request == "celery.worker.request:Request"
    assert "Request = symbol_by_name(task.Request)" in inspect.getsource(strategy.default)


def test_a_free_process_is_one_of_a_semaphore_that_serves_in_order():
    semaphore, served = LaxBoundedSemaphore(1), []
    for number in range(3):
        semaphore.acquire(served.append, number)
    assert (served, semaphore.initial_value) == ([0], 1)
    semaphore.release()
    assert served == [0, 1]
    assert "self._quick_acquire(self._process_task, req)" in inspect.getsource(Worker._process_task_sem)


def test_a_sigterm_is_one_of_the_signals_that_the_worker_installs():
    assert "install_worker_term_handler(worker)" in inspect.getsource(Worker.install_platform_tweaks)
    assert "self.install_platform_tweaks(self)" in inspect.getsource(Worker.on_start)
    assert "'celery.apps.worker:Worker'" in inspect.getsource(celery.Celery.Worker.func)


def test_the_end_of_a_process_is_told_by_a_pipe_that_is_read_once():
    source = inspect.getsource(AsynPool._track_child_process)
    assert "fd = proc._sentinel_poll" in source
    assert "self._event_process_exit, hub, proc" in source
    assert "proc._sentinel_poll = None" in inspect.getsource(AsynPool._untrack_child_process)


def test_the_pool_starts_the_timers_of_a_task_by_a_function_that_can_be_wrapped():
    source = inspect.getsource(AsynPool._create_timelimit_handlers)
    assert "def on_timeout_set(R, soft, hard)" in source
    assert "self.on_timeout_set = on_timeout_set" in source
    assert "on_timeout_set=self.on_timeout_set" in inspect.getsource(AsynPool.apply_async)


def test_an_error_in_the_tracing_of_a_task_has_a_signal_of_its_own():
    source = inspect.getsource(trace.build_tracer)
    assert "_signal_internal_error(task, uuid, args, kwargs, request, exc)" in source


def test_a_message_is_read_from_redis_by_the_client_of_the_channel():
    source = inspect.getsource(REDIS._brpop_read)
    assert "self.client.parse_response(" in source
    assert "raise Empty()" in source


def test_the_frames_of_a_message_on_rabbitmq_are_read_by_a_function_that_is_given():
    assert "frame_handler" in inspect.signature(amqp.Connection).parameters
    handler = inspect.getsource(amqp.method_framing.frame_handler)
    assert "callback(channel, msg.frame_method, msg.frame_args, msg)" in handler
