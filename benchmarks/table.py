"""Prints the results as a table, and whether a goal was met."""

from collections.abc import Sequence


def print_table(title: str, rows: Sequence[Sequence[str]]) -> None:
    """Print the rows below the title: first and last column to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    print(f"\n{title}\n")
    for label, *numbers, remark in rows:
        cells = [number.rjust(width) for number, width in zip(numbers, widths[1:-1], strict=True)]
        print("  ".join(["", label.ljust(widths[0]), *cells, remark]).rstrip())
    print(flush=True)


def verdict(goal: str, limit: float, values: Sequence[float]) -> str:
    """Return the goal, and whether none of the values is above the limit."""
    return f"goal {goal}: {'met' if max(values) <= limit else 'MISSED'}"
