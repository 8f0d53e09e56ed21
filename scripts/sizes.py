"""`make sizes`: print how many lines a fresh bake has, and exit with 1 where one is above its ceiling."""

import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from .baking import BakedProject, bake, silenced_stdout
from .columns import columns

LONGEST_FILE = 250
LIBRARY = 6_920  # without django/ and testing/
README = 130
PACKAGE = {"plain": 300, "django": 400}  # without the examples


class Size(NamedTuple):
    """So many lines of something, and how many it may have."""

    what: str
    lines: int
    ceiling: int


def lines_of(paths: Iterable[Path]) -> int:
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


def sizes_of(project: BakedProject, framework: str) -> Iterator[Size]:
    library = project.path / "celery_runtime"
    package = [path for path in project.package.rglob("*.py") if not path.name.startswith("ex")]
    yield Size(f"{framework}: the package, without examples", lines_of(package), PACKAGE[framework])
    yield Size(f"{framework}: README.md", lines_of([project.path / "README.md"]), README)
    if framework == "django":  # the library is whole
        files = list(library.rglob("*.py"))
        core = [path for path in files if path.relative_to(library).parts[0] not in ("django", "testing")]
        yield Size("the library, without django/ and testing/", lines_of(core), LIBRARY)
        for path in files:
            size = Size(f"celery_runtime/{path.relative_to(library)}", lines_of([path]), LONGEST_FILE)
            if size.lines > size.ceiling:
                yield size
        yield Size("its longest file", max(lines_of([path]) for path in files), LONGEST_FILE)


def main() -> None:
    found: list[Size] = []
    with tempfile.TemporaryDirectory(prefix="sizes-") as folder:
        for framework in PACKAGE:
            with silenced_stdout():
                project = bake(Path(folder) / framework, {"project_slug": "shop", "framework": framework})
            found += sizes_of(project, framework)
    rows = [("", "lines", "at most", "")]
    for size in found:
        rows.append((size.what, f"{size.lines:,}", f"{size.ceiling:,}", "" if size.lines <= size.ceiling else "ABOVE"))
    print("\n".join(columns(rows)))
    sys.exit(any(size.lines > size.ceiling for size in found))


if __name__ == "__main__":
    main()
