"""What a mutation is."""

from dataclasses import dataclass
from pathlib import Path

RUNTIME = "celery_runtime"


@dataclass(frozen=True)
class Mutation:
    """Replaces `old` in a file of the package by `new`; some test in `tests` must fail."""

    promise: str
    file: str
    old: str
    new: str
    tests: str

    def is_stale(self, package: Path) -> bool:
        """Whether the text to replace is no longer in the file, or not there alone."""
        return (package / self.file).read_text().count(self.old) != 1
