"""How deep lists and dicts in a message may be nested."""

from typing import Any

# Levels. A message reaches a process by pickle: in a worker that failed above 474 of them on Python 3.11, and pickle
# alone above 749 on 3.12 and 5,000 on 3.13.
DEEPEST = 200
_CONTAINERS = (dict, list, tuple)


def is_shallow(value: Any) -> bool:
    """Whether no list or dict in the value is deeper than `DEEPEST`, found without recursion."""
    level = [value] if isinstance(value, _CONTAINERS) else []
    for _ in range(DEEPEST):
        if not level:
            return True
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, _CONTAINERS)
        ]
    return not level
