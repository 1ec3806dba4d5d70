"""`python -m tests.answers [--write] [05 | 05.1 ...]`: what wrong answers are told."""

import argparse
import sys
from difflib import unified_diff

from tests.answers import COURSE, outcome_of, told, wrong_answers


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep what is told")
    parser.add_argument("--show", action="store_true", help="print all of it")
    parser.add_argument("chapters", nargs="*")
    given = parser.parse_args()
    differs = 0
    for numbered, file in wrong_answers(given.chapters):
        outcome = outcome_of(numbered, file)
        name = file.relative_to(COURSE)
        if outcome.ok:
            print(f"{name} passes: it is a right one")
            differs += 1
            continue
        golden, now = file.with_suffix(".txt"), told(numbered, outcome)
        kept = golden.read_text(encoding="utf-8") if golden.is_file() else ""
        if given.show:
            print(f"--- {name}\n{now}")
        if kept == now:
            continue
        if given.write:
            golden.write_text(now, encoding="utf-8")
        if not given.show:
            lines = kept.splitlines(), now.splitlines()
            print("\n".join(unified_diff(*lines, f"{name}, kept", "now", lineterm="")))
        differs += not given.write
    return 1 if differs else 0


if __name__ == "__main__":
    sys.exit(main())
