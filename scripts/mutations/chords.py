"""Promises of chords, and of whoever waits for a task whose message is rejected."""

from .mutation import RUNTIME, Mutation

MUTATIONS = (
    Mutation(
        "a chord keeps the results of its header",
        f"{RUNTIME}/retry/chords.py",
        '    options["ignore_result"] = False\n',
        "",
        "test_it_ends_whatever_its_header_is",
    ),
    Mutation(
        "a task of a header that workers would refuse is refused at the call",
        f"{RUNTIME}/retry/chords.py",
        "    if accepted and not",
        "    if False and not",
        "test_what_workers_would_refuse",
    ),
    Mutation(
        "a chord waits for its header for a time",
        f"{RUNTIME}/retry/chords.py",
        "    if sum(before) < bound and",
        "    if True or",
        "test_what_does_not_come",
    ),
    Mutation(
        "a chord that states how often it looks keeps to it",
        f"{RUNTIME}/retry/chords.py",
        "(most is None or looks < most)",
        "True",
        "test_it_ends_whatever_its_header_is",
    ),
    Mutation(
        "a chord says what it has waited for in vain",
        f"{RUNTIME}/retry/chords.py",
        "if not one.ready()]",
        "if one.ready()]",
        "test_what_does_not_come",
    ),
    Mutation(
        "a chord in the header of another tells it that it has failed",
        f"{RUNTIME}/app.py",
        "chords.fail_outer_chords(symbol",
        "(symbol",
        "test_it_ends_whatever_its_header_is",
    ),
    Mutation(
        "whoever waits for a rejected message is told",
        f"{RUNTIME}/worker/consumer.py",
        "        if (request := request_of(message)) is None:",
        "        if True or (request := request_of(message)) is None:",
        "test_whoever_waits_for_a_rejected_message",
    ),
    Mutation(
        "a chord learns of a rejected message of its header",
        f"{RUNTIME}/worker/message_schema.py",
        "        links = {name: embed.get(name) for name in LINKS}\n",
        "",
        "test_it_ends_whatever_its_header_is",
    ),
)
