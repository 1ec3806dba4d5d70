"""`python -m bench [--quick] [WRAP ...]`: print all that `bench` measures."""

import argparse

from bench import http, inprocess, memory, starting
from bench.apps import WRAPS


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a minute instead of three")
    parser.add_argument("wraps", nargs="*", metavar="WRAP", help=f"only these: {', '.join(WRAPS)}")
    options = parser.parse_args()
    quick = options.quick
    print("Parts of the untraced figure: the median of paired runs (and its quartiles).")
    memory.report()  # first: no other tracer may be at work in this process
    inprocess.report(rounds=5 if quick else 9, calls=2000 if quick else 5000)
    starting.report(rounds=5 if quick else 11)
    http.report(rounds=2 if quick else 5, seconds=0.5 if quick else 1.0, names=options.wraps)


if __name__ == "__main__":
    main()
