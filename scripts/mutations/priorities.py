"""Promises of priorities."""

from .mutation import RUNTIME, Mutation

MUTATIONS = (
    Mutation(
        "monitors count the messages of all priorities on Redis",
        f"{RUNTIME}/defaults.py",
        '"priority_steps": list(LEVELS[::-1]),',
        "",
        "test_a_monitor_counts",
    ),
    Mutation(
        "Redis is read from the largest priority down",
        f"{RUNTIME}/brokers/redis_transport.py",
        "LEVELS[::-1]",
        "LEVELS",
        "test_priorities",
    ),
    Mutation(
        "ascending steps do not turn the order round",
        f"{RUNTIME}/brokers/redis_transport.py",
        "lambda _, stated: None",
        'lambda self, stated: setattr(type(self), "priority_steps", stated)',
        "test_priority_steps",
    ),
    Mutation(
        "a virtual host with quorum queues takes priorities",
        f"{RUNTIME}/brokers/priorities.py",
        ', "x-queue-type": "classic"',
        "",
        "test_a_virtual_host_with_quorum_queues",
    ),
    Mutation(
        "a virtual host with quorum queues takes dead letters",
        f"{RUNTIME}/dead_letters/rabbitmq.py",
        'arguments = {"x-queue-type": "classic"}',
        "arguments: dict[str, str] = {}",
        "test_a_virtual_host_with_quorum_queues",
    ),
    Mutation(
        "what has expired is told of on RabbitMQ too",
        f"{RUNTIME}/brokers/publishing.py",
        '            options.pop("expiration", None)\n',
        "",
        "test_what_has_expired and rabbitmq",
    ),
    Mutation(
        "an unset priority is 5",
        f"{RUNTIME}/brokers/publishing.py",
        "stated = Priority.NORMAL",
        "stated = 0",
        "test_priorities",
    ),
    Mutation(
        "a child inherits its parent's priority",
        f"{RUNTIME}/brokers/publishing.py",
        'stated = (parent.request.delivery_info or {}).get("priority")',
        "stated = None",
        "test_priorities",
    ),
    Mutation(
        "each priority has a list of its own on Redis",
        f"{RUNTIME}/brokers/redis_transport.py",
        "        return n\n",
        "        return n - n % 3\n",
        "test_priorities",
    ),
    Mutation(
        "a priority that does not exist is refused",
        f"{RUNTIME}/brokers/publishing.py",
        "if stated not in LEVELS:",
        "if False:",
        "test_priorities",
    ),
    Mutation(
        "an app connects by transports of its own",
        f"{RUNTIME}/brokers/publishing.py",
        "    Connection = Connection\n",
        "",
        "test_two_apps and not rabbitmq",
    ),
    Mutation(
        "another app in the process keeps kombu's transports",
        f"{RUNTIME}/brokers/connection.py",
        "OURS: dict[type, type] = {",
        "kombu_redis.Transport.Channel = redis_transport.Channel\nOURS: dict[type, type] = {",
        "test_two_apps and not rabbitmq",
    ),
    Mutation(
        "a stock connection to the same server is in another pool",
        f"{RUNTIME}/brokers/connection.py",
        "return HashedSeq(type(self), *super().__eqhash__())",
        "return super().__eqhash__()",
        "test_two_apps and not rabbitmq",
    ),
    Mutation(
        "the logs of another app are those of Celery",
        f"{RUNTIME}/app.py",
        "        signals.celeryd_init.connect(self._prepare_start)\n",
        "        signals.celeryd_init.connect(self._prepare_start)\n"
        "        signals.after_setup_logger.connect(importlib.import_module('celery_runtime.logs')._set_up)\n",
        "test_two_apps and not rabbitmq",
    ),
)
