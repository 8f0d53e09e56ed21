"""Takes messages out of Redis in one step with the note that they are held, so that no kill in between loses one.

kombu waits in BRPOP, which takes a message out, and notes it as unacknowledged when it has read the answer. Who is killed in
between, or loses the connection, loses the message. Here a script does both, and what is waited for is a mere token, of
which each message that is published leaves one. Of what comes without a token, from a foreign publisher, a worker with nothing
to do learns within a second.

Source: kombu/transport/redis.py (`_brpop_start`, `_brpop_read`, `_put`, `_do_restore_message`, `QoS.append`), kombu 5.7.
"""

import time
from collections.abc import Iterable
from typing import Any

from kombu.transport import redis, virtual

# What is no message is handed out without a note, for the worker to turn it away.
FETCH = """
local unacked, index = KEYS[#KEYS - 1], KEYS[#KEYS]
for i = 1, #KEYS - 2 do
    local item = redis.call('RPOP', KEYS[i])
    if item then
        local noted = pcall(function()
            local properties = cjson.decode(item).properties
            local tag, route = properties.delivery_tag, properties.delivery_info
            assert(type(tag) == 'string' and not item:find('[\\128-\\255]'))
            local origin = cjson.encode(route.exchange) .. ',' .. cjson.encode(route.routing_key)
            redis.call('HSET', unacked, tag, '[' .. item .. ',' .. origin .. ']')
            redis.call('ZADD', index, ARGV[1], tag)
        end)
        return {KEYS[i] .. (noted and 'n' or '-'), item}
    end
end
return false
"""
FORGET = """
pcall(function()
    local tag = cjson.decode(ARGV[1]).properties.delivery_tag
    redis.call('ZREM', KEYS[2], tag)
    redis.call('HDEL', KEYS[1], tag)
end)
"""
MOST_TOKENS = 9  # of each queue: more would only make workers look in vain
TOKENS_KEPT = 10_000  # milliseconds


class Commands(list[tuple[str, tuple[Any, ...]]]):
    """Collects commands where kombu expects a `PublishBatch`."""

    def add(self, name: str, *args: Any) -> None:
        self.append((name, args))

    def add_to(self, pipe: Any) -> None:
        for name, args in self:
            getattr(pipe, name)(*args)


class QoSOfFetched(redis.QoS):
    channel: Any

    def append(self, message: Any, delivery_tag: str) -> None:
        if self.channel.noted:
            self.channel.noted = False
            virtual.QoS.append(self, message, delivery_tag)
        else:
            super().append(message, delivery_tag)


class FetchingChannel:
    """Changes a channel of kombu's Redis transport."""

    noted = False  # the message that was fetched last, by the script
    _asked = ""  # what for, by the command that was sent last: "token" or "message"
    _found_nothing = False
    _without_notes: frozenset[str] = frozenset()

    QoS: Any = QoSOfFetched

    _brpop_read: Any  # these are kombu's
    _brpop_sent_at: float
    _in_poll: Any
    _lookup: Any
    _q_for_pri: Any
    _queue_cycle: Any
    ack_emulation: bool
    active_queues: Any
    brpop_timeout: Any
    client: Any
    conn_or_acquire: Any
    global_keyprefix: str
    priority_steps: Any
    qos: Any
    sep: str
    unacked_index_key: str
    unacked_key: str

    def basic_consume(self, queue: str, no_ack: bool, *args: Any, **options: Any) -> Any:
        if no_ack:
            self._without_notes |= {queue}
        return super().basic_consume(queue, no_ack, *args, **options)  # type: ignore[misc]

    def _brpop_start(self, timeout: float | None = None) -> None:
        queues = self._queue_cycle.consume(len(self.active_queues))
        if not queues or not self.ack_emulation or self._without_notes.intersection(queues):
            self._asked = ""
            super()._brpop_start(timeout)  # type: ignore[misc]
            return
        self._in_poll = self.client.connection
        self._brpop_sent_at = time.monotonic()
        if self._found_nothing:
            self._asked, self._found_nothing = "token", False
            keys = self._prefixed(map(self._tokens_of, queues))
            command = ["BRPOP", *keys, timeout or self.brpop_timeout]
        else:
            self._asked = "message"
            lists = [self._q_for_pri(queue, level) for level in self.priority_steps for queue in queues]
            keys = self._prefixed([*lists, self.unacked_key, self.unacked_index_key])
            command = ["EVAL", FETCH, len(keys), *keys, time.time()]
        self.client.connection.send_command(*command)

    def fetched(self, reply: Any) -> Any:
        """Return list and message of the answer to what was sent last, None where there is no message."""
        if self._asked == "token":
            return None
        if self._asked == "message":
            self._found_nothing = reply is None
        if not reply or not self._asked:
            return reply
        key, item = reply
        self.noted = key.endswith(b"n")
        return key[:-1], item

    def forget(self, item: bytes) -> None:
        """Take back the note of what was taken out and turned away."""
        self.noted = False
        with self.conn_or_acquire() as client:
            client.eval(FORGET, 2, *self._prefixed([self.unacked_key, self.unacked_index_key]), item)

    def wake(self, queue: str) -> None:
        """Leave a token: a message was put into the queue by other means than this channel's."""
        commands = Commands()
        self._add_token(commands, queue)
        self._execute(commands)

    def _put(self, queue: str, message: Any, *, _publish_batch: Any = None, **options: Any) -> None:
        commands = Commands()
        super()._put(queue, message, _publish_batch=commands, **options)  # type: ignore[misc]
        self._add_token(commands, queue)
        if _publish_batch is None:
            self._execute(commands)
        else:
            for name, args in commands:
                _publish_batch.add(name, *args)

    def _do_restore_message(
        self, payload: Any, exchange: str, routing_key: str, pipe: Any, leftmost: bool = False
    ) -> None:
        super()._do_restore_message(payload, exchange, routing_key, pipe, leftmost)  # type: ignore[misc]
        commands = Commands()
        for queue in self._lookup(exchange, routing_key):
            self._add_token(commands, queue)
        commands.add_to(pipe)

    def _execute(self, commands: Commands) -> None:
        # All or nothing: an error for a mere token would tell that the message was not taken.
        with self.conn_or_acquire() as client, client.pipeline() as pipe:
            commands.add_to(pipe)
            pipe.execute()

    def _add_token(self, commands: Commands, queue: str) -> None:
        key = self._tokens_of(queue)
        commands.add("lpush", key, "")
        commands.add("ltrim", *self._prefixed([key]), 0, MOST_TOKENS - 1)  # kombu does not prefix this one
        commands.add("pexpire", key, TOKENS_KEPT)

    def _tokens_of(self, queue: str) -> str:
        return f"{queue}{self.sep}tokens"

    def _prefixed(self, keys: Iterable[str]) -> list[str]:
        return [f"{self.global_keyprefix}{key}" for key in keys]
