"""Promises of dead letters."""

from .mutation import RUNTIME, Mutation

DEAD_LETTERS = f"{RUNTIME}/dead_letters"

MUTATIONS = (
    Mutation(
        "an entry is kept under the id of its task",
        f"{DEAD_LETTERS}/record.py",
        "        id=request.id,",
        "        id=str(uuid.uuid4()),",
        "test_dead_letters",
    ),
    Mutation(
        "a killed process is told from an error",
        f"{RUNTIME}/request.py",
        "        elif self._was_lost(error):",
        "        elif False:",
        "test_dead_letters",
    ),
    Mutation(
        "a Reject leaves a dead letter",
        f"{RUNTIME}/request.py",
        "        if not error.requeue:",
        "        if False:",
        "test_dead_letters",
    ),
    Mutation(
        "a MemoryError of a task does not end its worker",
        f"{RUNTIME}/request.py",
        "        if isinstance(error, MemoryError):",
        "        if False:",
        "test_dead_letters",
    ),
    Mutation(
        "an unknown task leaves a dead letter",
        f"{RUNTIME}/consumer.py",
        "            self._bury(message, Problem(record.UNKNOWN_TASK,",
        "            (message, Problem(record.UNKNOWN_TASK,",
        "test_dead_letters",
    ),
    Mutation(
        "a requeue does not remove an entry before its task is published",
        f"{DEAD_LETTERS}/redis_store.py",
        "            publish(Producer(self.channel))",
        "            self._remove(held, [])\n            publish(Producer(self.channel))",
        "test_dead_letters",
    ),
    Mutation(
        "a requeue removes the entry",
        f"{DEAD_LETTERS}/redis_store.py",
        "forget(member)\nfor i = 3",
        "for i = 3",
        "test_dead_letters",
    ),
    Mutation(
        "a requeued task keeps its priority",
        f"{DEAD_LETTERS}/replay.py",
        "        priority=entry.priority,\n        headers=headers,",
        "        priority=None,\n        headers=headers,",
        "test_dead_letters",
    ),
    Mutation(
        "the attempts of a requeued task are counted anew",
        f"{DEAD_LETTERS}/record.py",
        "if key != HEADER}",
        "}",
        "test_dead_letters",
    ),
    Mutation(
        "an entry that has come back too often stays",
        f"{DEAD_LETTERS}/replay.py",
        "entry.requeues >= most_requeues",
        "False",
        "test_dead_letters",
    ),
    Mutation(
        "whoever waits for a requeued task waits for its next run",
        f"{DEAD_LETTERS}/replay.py",
        "        app.backend.forget(entry.id)",
        "        pass",
        "test_examples",
    ),
    Mutation(
        "there are no more entries than the settings allow",
        f"{DEAD_LETTERS}/redis_store.py",
        "if surplus > 0 then",
        "if false then",
        "test_dead_letters",
    ),
    Mutation(
        "an entry that is too old is removed",
        f"{DEAD_LETTERS}/redis_store.py",
        "'(' .. eldest",
        "'-inf'",
        "test_dead_letters",
    ),
    Mutation(
        "secrets are not shown",
        f"{DEAD_LETTERS}/redaction.py",
        "MASK if SECRET.search(name) and value is not None else value",
        "value",
        "test_dead_letter_commands",
    ),
    Mutation(
        "a secret is known by the name of its parameter",
        f"{DEAD_LETTERS}/record.py",
        "        parameters=_parameters(task),",
        "        parameters=[],",
        "test_dead_letter_commands",
    ),
    Mutation(
        "a requeue says which entries it means",
        f"{RUNTIME}/cli_dead_letters.py",
        "    if all(value is None or value is False or value == () for value in chosen.values()):",
        "    if False:",
        "test_dead_letter_commands",
    ),
    Mutation(
        "a purge without a terminal wants --yes",
        f"{RUNTIME}/cli_dead_letters.py",
        "    if not sys.stdin.isatty():",
        "    if False:",
        "test_dead_letter_commands",
    ),
)
