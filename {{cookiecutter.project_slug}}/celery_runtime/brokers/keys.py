"""Every name on a broker that is this library's own.

On Redis each stands behind the `global_keyprefix` of the app, "shop:". kombu's own keys are the lists of the queues
(queue, separator, priority), `unacked` (a hash) and `unacked_index` (a sorted set by the time of delivery).
"""

CRASH_NOTES = "lost-runs"  # Redis: number `lost-runs:TASK_ID`. RabbitMQ: queue `shop.lost-runs.HASH`
DEAD_LETTERS = "dead-letters"  # Redis: hash, and sorted set `dead-letters:by-time`. RabbitMQ: queue `shop.dead-letters`
TOKENS = "tokens"  # Redis: queue, separator, `tokens`: a list with a token for each new message
WRITE_CHECK = "takes-writes"  # Redis: a key that is gone after a second
