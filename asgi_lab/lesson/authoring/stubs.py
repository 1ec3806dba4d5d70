"""Stubs from solutions: `python -m asgi_lab.lesson.authoring.stubs [--check]`.

A solution is a whole file in which a learner's part is marked:

    async def app(scope, receive, send):
        # TODO: receive until more_body is false, then answer.
        # your code begins
        ...
        # your code ends

The stub is the same file with `raise NotImplementedError("your turn")` in place of that part.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from asgi_lab.lesson.checking import OPEN
from asgi_lab.lesson.course import CourseError, find_course

BEGINS = re.compile(r"(\s*)# your code begins$")
ENDS = re.compile(r"\s*# your code ends$")
STAND_IN = f'raise NotImplementedError("{OPEN}")'


def stub_of(solution: str, name: str) -> str:
    """Return the stub of a solution. Raises `CourseError` for marks that are missing or open."""
    lines: list[str] = []
    inside = False
    found = 0
    for number, line in enumerate(solution.splitlines(), 1):
        begins = BEGINS.fullmatch(line)
        if begins and not inside:
            inside, found = True, found + 1
            lines.append(f"{begins[1]}{STAND_IN}")
        elif ENDS.fullmatch(line) and inside:
            inside = False
        elif begins or ENDS.fullmatch(line):
            raise CourseError(f"{name}:{number}: a mark within a mark, or an end without a begin")
        elif not inside:
            lines.append(line)
    if inside or not found:
        raise CourseError(f"{name}: expected `# your code begins` and `# your code ends`")
    return "\n".join(lines) + "\n"


def pairs(course: Path) -> Iterator[tuple[Path, Path]]:
    """Yield each solution with the place of its stub."""
    for solution in sorted((course / "solutions").glob("[0-9]*/[0-9]*_*.py")):
        yield solution, course / "exercises" / solution.relative_to(course / "solutions")


def differences(course: Path) -> list[str]:
    """Return what is not as the generator makes it, or belongs to no solution."""
    wrong = []
    wanted = {stub: solution for solution, stub in pairs(course)}
    for stub, solution in wanted.items():
        made = stub_of(solution.read_text(encoding="utf-8"), str(solution))
        if not stub.is_file() or stub.read_text(encoding="utf-8") != made:
            wrong.append(f"{stub.relative_to(course)} is not as its solution makes it")
    for stray in sorted((course / "exercises").glob("*/*.py")):
        if stray not in wanted:
            wrong.append(f"{stray.relative_to(course)} has no solution")
    return wrong


def write_all(course: Path) -> int:
    """Write all stubs; return how many."""
    count = 0
    for solution, stub in pairs(course):
        stub.parent.mkdir(parents=True, exist_ok=True)
        made = stub_of(solution.read_text(encoding="utf-8"), str(solution))
        stub.write_text(made, encoding="utf-8")
        count += 1
    return count


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the stubs, or with --check say which differ; return the exit code."""
    parser = argparse.ArgumentParser(description="Make the exercises from the solutions.")
    parser.add_argument("--check", action="store_true", help="write nothing; say what differs")
    given = parser.parse_args(arguments)
    try:
        course = find_course()
        if given.check:
            wrong = differences(course)
            print("\n".join(wrong) or "all stubs are as their solutions make them")
            return 1 if wrong else 0
        print(f"{write_all(course)} stubs written")
    except CourseError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
