"""`python -m bench [--quick] [--only PART] [WRAP ...]`: print what `bench` measures."""

import argparse
from collections.abc import Callable

from bench import http, inprocess, memory, pictures, servers, starting
from bench.apps import WRAPS


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a minute instead of three")
    parser.add_argument("--only", choices=PARTS, help="this part alone")
    parser.add_argument("wraps", nargs="*", metavar="WRAP", help=f"only these: {', '.join(WRAPS)}")
    options = parser.parse_args()
    print("Ratios are the medians of paired runs (between quartiles).")
    for name, part in PARTS.items():
        if options.only in (None, name):
            part(options.quick, options.wraps)


PARTS: dict[str, Callable[[bool, list[str]], None]] = {
    "memory": lambda quick, _: memory.report(),  # first: no other tracer may be at work here
    "inprocess": lambda quick, _: inprocess.report(5 if quick else 9, 2000 if quick else 5000),
    "starting": lambda quick, _: starting.report(5 if quick else 11),
    "pictures": lambda quick, _: pictures.report(3 if quick else 7),
    "http": lambda quick, wraps: http.report(2 if quick else 5, 0.5 if quick else 1.0, wraps),
    "servers": lambda quick, _: servers.report(3 if quick else 9, 0.5 if quick else 1.0),
}

if __name__ == "__main__":
    main()
