"""The kinds of errors and of rejected messages, and how they nest: dotted words, the widest first.

    network      .dns .unavailable .timeout .disconnected .tls
    database     .auth .unavailable .timeout .conflict .pool .query .unclear
    external     .unavailable .busy .auth .rejected .invalid
    application  .transient .permanent .rejected, and those of your tasks
    time_limit   .soft .hard
    worker       .lost .memory
    message      .unknown_task .refused_content .undecodable .malformed .too_large
    unexpected   all else: most often an error in the task itself

A rule of the policy holds for its kind and all below it. A message is rejected before it is a task, so
that no rule holds for `message`.
"""

import re

ROOTS = ("network", "database", "external", "application", "time_limit", "worker", "unexpected")

# Kinds of what no exception tells.
LOST = "worker.lost"
REJECTED = "application.rejected"
UNKNOWN_TASK = "message.unknown_task"
REFUSED_CONTENT = "message.refused_content"
UNDECODABLE = "message.undecodable"
MALFORMED = "message.malformed"
TOO_LARGE = "message.too_large"

_KIND = re.compile(rf"({'|'.join(ROOTS)})(\.\w+)*", re.ASCII)


def check_kind(kind: object) -> str:
    """Return the kind; raise a `ValueError` if it is no words joined by dots of which the first is one of `ROOTS`."""
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        hint = f", such as 'application.{kind}'" if isinstance(kind, str) and kind.isidentifier() else ""
        raise ValueError(f"the first word of the kind {kind!r} must be one of {', '.join(ROOTS)}{hint}")
    return kind


def is_kind_of(kind: str, wider: str) -> bool:
    """Whether a kind is the wider one or below it: network.dns is of network."""
    return f"{kind}.".startswith(f"{wider}.")
