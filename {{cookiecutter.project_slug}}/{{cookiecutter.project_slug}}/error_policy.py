"""The rules of what is tried again, how, and what is given up. They are yours to change.

A rule holds for its kind and for all kinds below it, and the longest one wins: "network.tls" beats "network". Failures
of every kind that a rule covers count against its attempts together. celery_runtime/kinds.py lists the kinds.

A task has rules of its own by `@app.task(policy={"external.unavailable": Retry(attempts=10)})`: these come first,
whatever their length. `policy={"": Fail()}` is for no second run at all.

If an exception of a library is `unexpected`, name its kind at the end of this file, by package and class:

    RULES.insert(0, by_name({"stripe.CardError": "external.rejected"}))  # both are in celery_runtime
"""

from celery_runtime import Fail, Retry, Wait

# Seconds from a task's first failure, of whatever kind, after which it is given up.
MAX_AGE = 6 * 60 * 60

POLICY: dict[str, Retry | Wait | Fail] = {
    "network": Retry(attempts=6, base=1, cap=60),
    "network.tls": Fail(),
    "database": Retry(attempts=6, base=1, cap=60),
    "database.auth": Fail(),
    "database.conflict": Retry(attempts=6, base=0.2, cap=2),
    "database.query": Fail(),
    # No error code, and a message in a language that the library cannot read: retried, but not for long.
    "database.unclear": Retry(attempts=3, base=1, cap=10),
    "external": Retry(attempts=6, base=2, cap=120),
    "external.auth": Fail(),
    "external.busy": Wait(max_age=60 * 60),
    "external.invalid": Fail(),
    "external.rejected": Fail(),
    # What your tasks raise as TransientError. A PermanentError is given up whatever stands here.
    "application": Retry(attempts=4, base=2, cap=60),
    "time_limit": Fail(),
    # The process of the task was killed, or the whole worker with it; or its memory was used up. A lost worker does not
    # show which of its tasks was guilty, so that even with one attempt there are two runs.
    "worker": Retry(attempts=5, base=1, cap=30),
    "unexpected": Fail(),
}
