"""What a mutation is."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

RUNTIME = "celery_runtime"


class Project(Protocol):
    path: Path
    package: Path


@dataclass(frozen=True)
class Mutation:
    """Replaces `old` in a file of `celery_runtime/`, or of the package, by `new`; some test in `tests` must fail."""

    promise: str
    file: str
    old: str
    new: str
    tests: str

    def path(self, project: Project) -> Path:
        """Return the file in a project."""
        folder = project.path if self.file.startswith(f"{RUNTIME}/") else project.package
        return folder / self.file

    def is_stale(self, project: Project) -> bool:
        """Whether the text to replace is no longer in the file, or not there alone."""
        return self.path(project).read_text().count(self.old) != 1
