"""Which dead letters are meant: by id, kind, task and age."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

from celery_runtime.dead_letters.model import Summary
from celery_runtime.kinds import is_kind_of


@dataclass(frozen=True)
class Selection:
    """Those that fit all that is stated; with nothing stated, every one.

    Args:
        ids: of tasks.
        kind: it and what is below it: "network" fits "network.dns".
        task: its full name or the last words of it, with `*` for any text: "ex1_*.charge".
        older_than: seconds since the last failure.
    """

    ids: tuple[str, ...] = ()
    kind: str | None = None
    task: str | None = None
    older_than: float | None = None

    def fits(self, one: Summary) -> bool:
        if self.ids and one.id not in self.ids:
            return False
        if self.kind is not None and not is_kind_of(one.kind, self.kind):
            return False
        if self.task is not None and not _names(one.task, self.task):
            return False
        if self.older_than is None:
            return True
        return one.last_failure <= datetime.now(UTC) - timedelta(seconds=self.older_than)

    def is_everything(self) -> bool:
        return self == Selection()


def _names(task: str, pattern: str) -> bool:
    return fnmatchcase(task, pattern) or fnmatchcase(task, f"*.{pattern}")
