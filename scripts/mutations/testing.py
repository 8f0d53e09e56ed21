"""What the pytest plugin promises to a user's tests."""

from .mutation import RUNTIME, Mutation

PLUGIN = f"{RUNTIME}/testing/__init__.py"
MUTATIONS = (
    Mutation("each test finds empty queues", PLUGIN, "    purge(isolation.app)\n", "", "test_no_test_meets"),
    Mutation(
        "nothing that is delayed reaches the next test",
        f"{RUNTIME}/testing/brokers.py",
        "                client.delete(DELAYED)",
        "                pass",
        "test_no_test_meets",
    ),
    Mutation(
        "a busy worker does not keep the next test waiting",
        PLUGIN,
        "if not replies or any(replies.values()):",
        "if not replies:",
        "test_no_test_meets",
    ),
    Mutation(
        "a variable of one test is not that of the next",
        PLUGIN,
        "if session_worker.environment is not environment:",
        "if False:",
        "test_no_test_meets",
    ),
    Mutation(
        "a failure shows the end of the log",
        PLUGIN,
        """        report.sections.append(("the worker printed", worker.tail(SHORT_TAIL)))""",
        "        pass",
        "test_a_failure_shows_forty",
    ),
    Mutation(
        "a failure shows the end of the log alone",
        f"{RUNTIME}/testing/worker.py",
        ".splitlines()[-lines:]",
        ".splitlines()",
        "test_a_failure_shows_forty",
    ),
    Mutation(
        "a worker that ends by itself fails the test",
        f"{RUNTIME}/testing/worker.py",
        "if status is not None and status >= 0 and not self._is_stopped:",
        "if False:",
        "test_a_worker_that_ends_by_itself",
    ),
)
