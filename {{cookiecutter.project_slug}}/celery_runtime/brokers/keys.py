"""Every name on a broker that is this library's own.

On Redis each stands behind the `global_keyprefix` of the app, "shop:". kombu's own keys are the lists of the queues
(queue, separator, priority), `unacked` (a hash) and `unacked_index` (a sorted set by the time of delivery).
"""

# Redis: `lost-runs:TASK_ID`, a number. RabbitMQ: `shop.lost-runs.HASH`, a queue
CRASH_NOTES = "lost-runs"
# Redis: a hash, and `dead-letters:by-time`, a sorted set. RabbitMQ: `shop.dead-letters`, a queue
DEAD_LETTERS = "dead-letters"
TOKENS = "tokens"  # Redis: queue, separator, `tokens`: a list with a token for each new message
WRITE_CHECK = "takes-writes"  # Redis: a key that is gone after a second
