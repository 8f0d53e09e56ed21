"""The rules of what is tried again, how, and what is given up. They are yours to change.

A rule holds for its kind and for all kinds below it, and the longest one wins: "network.tls" beats "network". Failures
of every kind that a rule covers count together. celery_runtime/kinds.py lists the kinds.

What may be away, a network, a database or a service, is tried again for up to an hour: it waits on the broker, and
costs nothing. What the task itself does wrong ends soon. Pauses are random, so that a crowd of tasks does not come back
at once: the times below are what to expect.

A task has rules of its own by `@app.task(policy={"external.unavailable": Retry(attempts=10)})`: these come first,
whatever their length. `policy={"": Fail()}` is for no second run at all.

If an exception of a library is `unexpected`, name its kind at the end of this file, by package and class:

    RULES.insert(0, by_name({"stripe.CardError": "external.rejected"}))  # both are in celery_runtime
"""

from celery_runtime import Fail, Retry, Wait

# The time from a task's first failure, of whatever kind, after which it is given up. A number would be seconds.
MAX_AGE = "6h"

POLICY: dict[str, Retry | Wait | Fail] = {
    "network": Retry(max_age="1h", base=1, cap="5m"),  # gives up after about 58 minutes
    "network.tls": Fail(),
    "database": Retry(max_age="1h", base=1, cap="5m"),  # gives up after about 58 minutes
    "database.auth": Fail(),
    "database.conflict": Retry(attempts=6, base=0.2, cap=2),  # gives up after about 2.5 seconds
    "database.query": Fail(),
    # A statement that is too slow loads the database with each run.
    "database.timeout": Retry(attempts=6, base=1, cap=60),  # gives up after about 16 seconds
    # No error code, and a message in a language that the library cannot read: it may be a wrong statement.
    "database.unclear": Retry(attempts=3, base=1, cap=10),  # gives up after about 1.5 seconds
    "external": Retry(max_age="1h", base=2, cap="5m"),  # gives up after about 58 minutes
    "external.auth": Fail(),
    "external.busy": Wait(max_age="1h"),  # gives up after about 58 minutes
    "external.invalid": Fail(),
    "external.rejected": Fail(),
    # What your tasks raise as TransientError. A PermanentError is given up whatever stands here.
    "application": Retry(attempts=4, base=2, cap=60),  # gives up after about 7 seconds
    "time_limit": Fail(),
    # The process of the task was killed, or the whole worker with it; or its memory was used up. A lost worker does not
    # show which of its tasks was guilty, so that even with one attempt there are two runs.
    "worker": Retry(attempts=5, base=1, cap=30),  # gives up after about 7.5 seconds
    "unexpected": Fail(),
}
