"""Read task files without importing them: the lines of definitions, the names that their tasks state."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path


def lines_of(path: Path, function: str) -> list[int]:
    """Return the lines of the functions and classes of that name, ascending; empty without one."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return sorted(node.lineno for node in _nodes(path) if isinstance(node, kinds) and node.name == function)


def line_of_text(path: Path, text: str) -> int:
    """Return the first line that holds the text, 1 without one."""
    lines = path.read_text().splitlines() if path.is_file() else []
    return next((number for number, line in enumerate(lines, start=1) if text in line), 1)


@functools.cache
def explicit_task_names(path: Path) -> frozenset[str]:
    """Return the literal names that decorators of the file state, as in `@app.task(name="mail.send")`."""
    functions = (node for node in _nodes(path) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    calls = (call for node in functions for call in node.decorator_list if isinstance(call, ast.Call))
    keywords = (keyword for call in calls for keyword in call.keywords if keyword.arg == "name")
    values = (keyword.value for keyword in keywords)
    return frozenset(v.value for v in values if isinstance(v, ast.Constant) and isinstance(v.value, str))


def _nodes(path: Path) -> Iterator[ast.AST]:
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    yield from ast.walk(tree)
