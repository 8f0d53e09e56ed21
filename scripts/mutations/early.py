"""What is certain when the project is imported is told then."""

from .mutation import RUNTIME, Mutation

OPTIONS = f"{RUNTIME}/discovery/options.py"
CHECKS = f"{RUNTIME}/discovery/checks.py"
MUTATIONS = (
    Mutation(
        "an async task is refused",
        OPTIONS,
        "if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):",
        "if False:",
        "test_check_names_file",
    ),
    Mutation(
        "a task with a yield is refused",
        OPTIONS,
        "elif inspect.isgeneratorfunction(function):",
        "elif False:",
        "test_check_names_file",
    ),
    Mutation(
        "a coroutine that a decorator runs is no problem",
        OPTIONS,
        """getattr(f, "__globals__", {}).get("__name__") not in wrappers""",
        "False",
        "test_a_coroutine_that_a_decorator_runs",
    ),
    Mutation(
        "a serializer that workers refuse is told",
        OPTIONS,
        "accept=serialization.prepare_accept_content(accepted)",
        "accept=[kind]",
        "test_check_names_file or test_a_serializer_of_the_settings",
    ),
    Mutation(
        "an unknown compression is told", OPTIONS, "except KeyError:", "except ValueError:", "test_check_names_file"
    ),
    Mutation(
        "a rate limit that cannot be is told",
        OPTIONS,
        """time.rate(getattr(task, "rate_limit", None))""",
        "pass",
        "test_check_names_file",
    ),
    Mutation(
        "a route to nowhere is told",
        OPTIONS,
        """of_message(stated, f"the route {pattern!r}", app)""",
        "()",
        "test_routes",
    ),
    Mutation(
        "an entry of the schedule to nowhere is told",
        OPTIONS,
        """of_message(stated, f"the entry {entry!r}", app)""",
        "()",
        "test_routes",
    ),
    Mutation(
        "tasks list shows what routes do",
        OPTIONS,
        "route = app.amqp.router.route(stated, task.name, (), {}, task)",
        """route = {"queue": app.amqp.queues["tasks"], **stated}""",
        "test_tasks_list_shows",
    ),
    Mutation(
        "a route of no task is warned of",
        CHECKS,
        """named += [(name, name, "routes") for""",
        """named += [(name, name, "routes") for _ in () for""",
        "test_routes",
    ),
    Mutation(
        "a file without a task is warned of",
        CHECKS,
        "yield from _files_without_tasks(modules)",
        "pass",
        "test_a_file_without_a_task",
    ),
    Mutation(
        "a base is warned of once",
        CHECKS,
        "foreign.setdefault(type(task).__mro__[1], [])",
        "foreign.setdefault(type(task), [])",
        "test_a_task_whose_base",
    ),
    Mutation(
        "a broken file is told once, and in order",
        f"{RUNTIME}/discovery/loading.py",
        "sorted(set(self.problems), key=lambda p: (files.natural(p.file), p.line))",
        "self.problems",
        "test_check_names_file",
    ),
    Mutation(
        "the file that is broken is told, and not those that import it",
        f"{RUNTIME}/discovery/loading.py",
        "place_of(error, self.root, self.project) or (module.file, 1)",
        "(module.file, 1)",
        "test_check_names_file",
    ),
    Mutation(
        "broken settings are one line",
        f"{RUNTIME}/app.py",
        """        with self.task_modules.errors_in_a_line("Correct it in settings.py."):
            return super()""",
        "        if True:\n            return super()",
        "test_settings_that_are_broken",
    ),
    Mutation(
        "a broadcast reaches each worker of Redis",
        f"{RUNTIME}/brokers/publishing.py",
        """options.setdefault("declare", [queue.exchange])""",
        "pass",
        "test_a_broadcast",
    ),
    Mutation(
        "a broadcast that is not due waits in its worker",
        f"{RUNTIME}/worker/consumer.py",
        "elif self._is_broadcast(message):",
        "elif False:",
        "test_a_broadcast",
    ),
    Mutation(
        "a broadcast that a worker leaves out does not go back to all",
        f"{RUNTIME}/worker/consumer.py",
        "            if self._is_broadcast(message):\n                message.ack()\n                return\n",
        "",
        "test_a_broadcast and rabbitmq",
    ),
    Mutation(
        "queues shows no broadcast",
        f"{RUNTIME}/commands/queues.py",
        "if not isinstance(queue, Broadcast)",
        "if queue",
        "test_a_broadcast",
    ),
)
