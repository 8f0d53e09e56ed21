"""Prints ratios that were measured side by side. A missed goal is told and fails nothing."""

import argparse
import sys
import traceback

from . import bake_time, crashes, dead_letters, delays, discovery, errors, fetching, first_test

BENCHMARKS = {
    "bake_time": bake_time,
    "crashes": crashes,
    "dead_letters": dead_letters,
    "delays": delays,
    "discovery": discovery,
    "errors": errors,
    "fetching": fetching,
    "first_test": first_test,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=BENCHMARKS, metavar="NAME", help=", ".join(BENCHMARKS))
    status = 0
    for name in parser.parse_args().names or BENCHMARKS:
        try:
            BENCHMARKS[name].main()
        except Exception:  # noqa: BLE001 - one that cannot run must not keep the others from running
            traceback.print_exc()
            print(f"error: {name} could not run", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
