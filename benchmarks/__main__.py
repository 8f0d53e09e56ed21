"""`make bench`: prints ratios that were measured side by side. A missed goal is told and fails nothing."""

import sys
import traceback

from . import bake_time, discovery


def main() -> int:
    status = 0
    for benchmark in (bake_time, discovery):
        try:
            benchmark.main()
        except Exception:  # noqa: BLE001 - one that cannot run must not keep the others from running
            traceback.print_exc()
            print(f"error: {benchmark.__name__} could not run", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
