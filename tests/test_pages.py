"""The Python in the pages of a project passes the project's own linters when it is copied into a file."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

FRAMEWORKS = ("django", "plain")


def blocks(page: Path) -> list[str]:
    """Return the blocks of Python that are whole: some only show a line or two of a table."""
    found = re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [block for block in found if is_whole(block)]


def is_whole(block: str) -> bool:
    try:
        return any(isinstance(node, ast.Import | ast.ImportFrom) for node in ast.parse(block).body)
    except SyntaxError:
        return False


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_python_of_the_pages_is_formatted_and_its_imports_are_sorted(baked, framework):
    project = baked(framework=framework)
    pages = [project.path / "README.md", *sorted((project.path / "celery_runtime/docs").glob("*.md"))]
    found = [(page, block) for page in pages for block in blocks(page)]
    assert len(found) > 5
    for page, block in found:
        for command in (("check", "--select", "I"), ("format", "--check")):
            done = subprocess.run(
                [sys.executable, "-m", "ruff", *command, "--stdin-filename", "shop/copied.py", "-"],
                input=block,
                cwd=project.path,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{page.name}:\n{block}\n{done.stdout}{done.stderr}"
