"""What a worker prints and logs is told in lines."""

from .mutation import RUNTIME, Mutation

PRINTED = f"{RUNTIME}/printed.py"
MUTATIONS = (
    Mutation(
        "what is printed is a line for a line",
        PRINTED,
        """*lines, begun = (getattr(self._begun, "text", "") + str(data)).split("\\n")""",
        """lines, begun = [str(data)], \"\"""",
        "test_what_is_printed",
    ),
    Mutation(
        "what has no end of line is told after the task",
        PRINTED,
        "        signals.task_postrun.connect(self._end_line)\n",
        "",
        "test_what_is_printed",
    ),
    Mutation(
        "an error that ends beat is one line",
        PRINTED,
        "        sys.excepthook = self._log_uncaught\n",
        "",
        "test_an_error_that_ends_beat",
    ),
    Mutation(
        "the last lines of a worker are JSON",
        f"{RUNTIME}/worker/worker.py",
        "        text = json.dumps(",
        "        _ = json.dumps(",
        "test_outside_development_all_is_json",
    ),
    Mutation(
        "a rejected message is told with its task",
        f"{RUNTIME}/worker/consumer.py",
        """"task": entry.task, "task_id": entry.id}""",
        "}",
        "test_a_rejected_message_is_told",
    ),
    Mutation(
        "a long traceback is cut in development",
        f"{RUNTIME}/logs.py",
        "[without_repetition, without_middle, console]",
        "[without_repetition, console]",
        "test_in_development_a_long",
    ),
    Mutation(
        "no password is masked that is not there",
        f"{RUNTIME}/brokers/connection.py",
        "return uri if self.password else",
        "return uri if True else",
        "test_a_password_is_masked",
    ),
)
