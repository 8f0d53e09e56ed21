"""The one table of what is tried again, how, and what is given up. It is yours to change.

Kinds are listed in `celery_runtime/errors/classify.py`; of the rows that fit, that with the longest prefix counts, and the
kinds of one row share its attempts. A task says otherwise for itself by
`@app.task(policy={"external.unavailable": Retry(attempts=10)})`: its rows come first, whatever their length.
`policy={"": Fail()}` opts out.
"""

from celery_runtime.errors.classify import RULES, classify
from celery_runtime.errors.raised import PermanentError, TransientError, handling
from celery_runtime.errors.verdict import Verdict, by_name
from celery_runtime.retry.policy import Fail, Retry, Wait

__all__ = [
    "MAX_AGE",
    "POLICY",
    "RULES",
    "Fail",
    "PermanentError",
    "Retry",
    "TransientError",
    "Verdict",
    "Wait",
    "by_name",
    "classify",
    "handling",
]

POLICY: dict[str, Retry | Wait | Fail] = {
    "network": Retry(attempts=6, base=1, cap=60),
    "network.tls": Fail(),
    "database": Retry(attempts=6, base=1, cap=60),
    "database.auth": Fail(),
    "database.conflict": Retry(attempts=6, base=0.2, cap=2),
    "database.query": Fail(),
    # Only the message could tell what it is, in a language that is not known: not for long.
    "database.unclear": Retry(attempts=3, base=1, cap=10),
    "external": Retry(attempts=6, base=2, cap=120),
    "external.auth": Fail(),
    "external.busy": Wait(max_age=60 * 60),
    "external.invalid": Fail(),
    "external.rejected": Fail(),
    # What your tasks raise as TransientError. A PermanentError is given up whatever stands here.
    "application": Retry(attempts=4, base=2, cap=60),
    "time_limit": Fail(),
    # The process of the task was killed, or the whole worker with it; or its memory was used up. A worker that is lost
    # proves nothing against a single task, so that even with one attempt there are two runs.
    "worker": Retry(attempts=5, base=1, cap=30),
    "unexpected": Fail(),
}

# Seconds from a task's first failure, of whatever kind, after which it is given up.
MAX_AGE = 6 * 60 * 60

# What your libraries raise and no rule knows, by package and class. For instance:
# RULES.insert(0, by_name({"stripe.CardError": "external.rejected"}))
