"""A task that uses what a transaction has written: published after the commit, and safe to run twice.

Use `delay_on_commit` wherever a view publishes. The traps: with `delay` a worker may be quicker than the
commit, and finds nothing, or works for what is rolled back; pass the key and not the object, which would be
old when it is read; and a task may run twice, so write what can be written twice.
"""

import time

from django.contrib.auth.models import Group, User
from django.db import transaction

from ..celery_config import Task, app


# Every task has this base; a type checker learns of `delay_on_commit` from it.
@app.task(queue="tasks", base=Task)
def make_reader(user: int) -> str:
    """Let the user with this key be a reader; the second time nothing changes."""
    readers, _ = Group.objects.get_or_create(name="readers")
    groups = User.objects.get(pk=user).groups
    groups.add(readers)
    return f"a reader, in {groups.count()} group"


def run_tasks() -> None:
    """Add a user and make a reader of them, twice; then remove them. A worker must be running. Prints:

    after the commit: a reader
    once more: a reader, in 1 group
    """
    with transaction.atomic():
        user = User.objects.create_user(f"example-{time.time()}")
        make_reader.delay_on_commit(user.pk)
        time.sleep(0.2)  # a worker that was told already would not find the user
    try:
        deadline = time.monotonic() + 30
        while not user.groups.exists():
            if time.monotonic() > deadline:
                raise TimeoutError("no worker ran it within 30 seconds")
            time.sleep(0.05)
        print("after the commit: a reader")
        print("once more:", make_reader.delay(user.pk).get(timeout=30))
    finally:
        user.delete()
