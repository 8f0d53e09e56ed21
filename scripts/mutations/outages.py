"""Promises of brokers and results that are away, or refuse, for a while."""

from .mutation import RUNTIME, Mutation

MUTATIONS = (
    Mutation(
        "a connection that is lost has nothing run twice",
        f"{RUNTIME}/worker/connection_loss.py",
        "            request.message.channel.let_go(request.message.delivery_tag)",
        "            pass",
        "test_a_connection_that_is_lost",
    ),
    Mutation(
        "a task that has ended while its broker was away has not come to its limit",
        f"{RUNTIME}/worker/worker.py",
        "            put_off_overdue(prefork, self.timer)\n",
        "            pass\n",
        "test_tasks_that_end_while_their_broker_is_away and embedded",
    ),
    Mutation(
        "what a worker held when it lost Redis is given back when it is there again",
        f"{RUNTIME}/worker/connection_loss.py",
        "        while self._not_requeued:",
        "        while False:",
        "test_what_waits_for_its_time and embedded",
    ),
    Mutation(
        "what was handed out anew is not given back",
        f"{RUNTIME}/worker/consumer.py",
        "        if qos is self.qos:  # else its connection is gone",
        "        if True:  # else its connection is gone",
        "test_a_message_whose_connection_is_gone",
    ),
    Mutation(
        "what follows a task waits for the broker",
        f"{RUNTIME}/brokers/publishing.py",
        "            if amqp._callback_publish_retry.get():",
        "            if False and amqp._callback_publish_retry.get():",
        "test_the_next_step_of_a_chain and embedded",
    ),
    Mutation(
        "a Redis that takes no writes for a while ends no worker",
        f"{RUNTIME}/defaults.py",
        '"broker_channel_error_retry": urls.is_redis(url)',
        '"broker_channel_error_retry": False',
        "test_refusals",
    ),
    Mutation(
        "a worker waits until Redis takes writes",
        f"{RUNTIME}/worker/connection_loss.py",
        "                conn.default_channel.check_writes()\n",
        "                pass\n",
        "test_refusals",
    ),
    Mutation(
        "a worker that waits for a message outlives a failover of Redis",
        f"{RUNTIME}/errors/database.py",
        """    "UNBLOCKED": "database.unavailable",  # of who waited, in a failover\n""",
        "",
        "test_a_replica",
    ),
    Mutation(
        "an answer that no waiting mends ends the worker",
        f"{RUNTIME}/worker/connection_loss.py",
        "            raise exc  # ",
        "            pass  # ",
        "test_another_answer",
    ),
    Mutation(
        "what fails for good while its broker is away is a dead letter",
        f"{RUNTIME}/worker/connection_loss.py",
        "            request.outlived_connection = True\n",
        "",
        "test_a_task_that_fails_while",
    ),
    Mutation(
        "what is done while Redis takes no writes does not run again",
        f"{RUNTIME}/brokers/redis_transport.py",
        "            self.unacknowledged |= {delivery_tag}\n",
        "",
        "test_a_replica",
    ),
    Mutation(
        "a worker that waits for its broker says so and nothing else",
        f"{RUNTIME}/worker/connection_loss.py",
        "                step.consumers = None",
        "                pass",
        "test_a_worker_that_waits_for_its_broker_stops",
    ),
    Mutation(
        "a result waits for a server that takes no writes for a while",
        f"{RUNTIME}/worker/task_process.py",
        "    backend.exception_safe_to_retry = is_temporary\n",
        "",
        "test_no_room",
    ),
    Mutation(
        "a task that ended while its worker stood still is no failure",
        f"{RUNTIME}/worker/worker.py",
        "STANDSTILL = 1.0",
        "STANDSTILL = 60.0",
        "test_a_task_that_ends_while_its_worker",
    ),
)
