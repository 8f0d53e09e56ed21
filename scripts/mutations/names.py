"""Promises of names: two projects on one broker have nothing in common."""

from .mutation import RUNTIME, Mutation

OWN = "test_each_runs_its_own_tasks"
NAMES, TRANSPORT = f"{RUNTIME}/brokers/rabbitmq_names.py", f"{RUNTIME}/brokers/rabbitmq_transport.py"

MUTATIONS = (
    Mutation(
        "two projects on one RabbitMQ have queues of their own",
        TRANSPORT,
        "if sig in rabbitmq_names.NAMES:",
        "if False:",
        f"{OWN} and rabbitmq",
    ),
    Mutation(
        "two projects on one Redis have queues of their own",
        f"{RUNTIME}/defaults.py",
        """"global_keyprefix": f"{project}:",
        # Tasks""",
        """"global_keyprefix": "",
        # Tasks""",
        f"{OWN} and embedded",
    ),
    Mutation(
        "what is delayed on RabbitMQ comes to the exchange of its project",
        NAMES,
        "if method == spec.Queue.Declare and rest[-1] and EXCHANGE in rest[-1]:",
        "if False:",
        f"{OWN} and rabbitmq",
    ),
    Mutation(
        "what is published without an exchange comes to the queue of its project",
        NAMES,
        "number = NAMES[method] + (method == spec.Basic.Publish and not rest[0])",
        "number = NAMES[method]",
        f"{OWN} and rabbitmq",
    ),
    Mutation(
        "a task sees the names of the program",
        TRANSPORT,
        "            origin[name] = rabbitmq_names.in_program(self.project, origin[name])",
        "            pass",
        f"{OWN} and rabbitmq",
    ),
    Mutation(
        "what RabbitMQ answers has the names of the program",
        TRANSPORT,
        "return told and told._replace(queue=rabbitmq_names.in_program(self.project, told.queue))",
        "return told",
        "test_a_name_and_back and rabbitmq",
    ),
    Mutation(
        "what waits from before is taken over",
        NAMES,
        """name.startswith(("/", "amq."))""",
        """name.startswith("amq.")""",
        "test_what_waits_from_before and rabbitmq",
    ),
    Mutation(
        "a dead letter from before is requeued",
        f"{RUNTIME}/brokers/priorities.py",
        """name.removeprefix("/")""",
        "name",
        "test_what_waits_from_before and rabbitmq",
    ),
    Mutation(
        "names of RabbitMQ itself stay",
        NAMES,
        """    if not name or name.startswith("amq."):""",
        "    if not name:",
        "test_a_name_and_back and rabbitmq",
    ),
    Mutation(
        "a connection that knows no project is refused",
        TRANSPORT,
        "project: str, **options",
        'project: str = "", **options',
        "test_a_connection_that_knows_no_project and rabbitmq",
    ),
)
