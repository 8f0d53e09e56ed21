"""Publishes past Celery and kombu, which would not send most of it."""

from typing import Any

import amqp
import redis

from .message import QUEUE, Item, Message

PRIORITY = 5


class RedisPublisher:
    broker = "redis"

    def __init__(self, app: Any) -> None:
        # Some bodies are so large that a busy machine takes long to send them: a connection for writing is less patient.
        app.conf.broker_transport_options = {**app.conf.broker_transport_options, "socket_timeout": 60}
        self.channel = app.connection_for_read().default_channel
        self.client = redis.Redis(connection_pool=self.channel.pool)
        self.list = self.channel.global_keyprefix + self.channel._q_for_pri(QUEUE, PRIORITY)

    def publish(self, item: Item) -> None:
        self.client.lpush(self.list, item if isinstance(item, bytes) else item.for_redis())
        self.channel.wake(QUEUE)

    def waiting(self) -> int:
        """Return how many messages no worker has taken or dealt with."""
        return int(self.client.llen(self.list)) + int(self.client.hlen(self.channel.global_keyprefix + "unacked"))


class _Packed(amqp.Message):  # type: ignore[misc]
    """A message whose properties go over the wire as they are."""

    packed: bytes

    def _serialize_properties(self) -> bytes:
        return self.packed


class RabbitMQPublisher:
    broker = "rabbitmq"

    def __init__(self, app: Any) -> None:
        self.channel = app.connection_for_write().default_channel
        app.amqp.queues[QUEUE](self.channel).declare()

    def publish(self, item: Item) -> None:
        self.channel.basic_publish(_message(item), exchange="", routing_key=QUEUE)

    def waiting(self) -> int:
        """Return how many messages no worker has taken."""
        return int(self.channel.queue_declare(QUEUE, passive=True).message_count)


def _message(item: Item) -> amqp.Message:
    assert isinstance(item, Message)
    if item.packed_properties is not None:
        message = _Packed(item.body)
        message.packed = item.packed_properties
        return message
    return amqp.Message(item.body, application_headers=item.headers, **item.properties)


def publisher(app: Any) -> RedisPublisher | RabbitMQPublisher:
    is_rabbitmq = app.connection_for_write().transport.driver_type == "amqp"
    return RabbitMQPublisher(app) if is_rabbitmq else RedisPublisher(app)
