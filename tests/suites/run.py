"""Run the test suites of frameworks twice: as they are, and with every app traced.

    python tests/suites/run.py DIRECTORY [SUITE ...]

A suite is a checkout of the framework in DIRECTORY, with a virtual environment in
`DIRECTORY/venv-SUITE` that holds the framework (editable), what its tests need, and asgi-lab. The
law is that a test that passes bare also passes traced: the exit code is 1 if a suite breaks it, or
if nothing in it was traced. A test that failed once is run again alone, since some fail at random.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

SUITES = {
    "asgiref": ["tests"],
    "channels": ["tests"],
    "falcon": ["tests", "-p", "no:randomly"],
    "fastapi": ["tests"],
    "litestar": [
        f"tests/unit/test_{part}" for part in
        ("app.py", "asgi", "channels", "connection", "handlers", "kwargs", "middleware",
         "response", "static_files", "testing")
    ],
    "quart": ["tests", "-p", "no:sugar", "--no-cov"],
    "starlette": ["tests"],
}  # fmt: skip
"""Each suite, and the arguments of its pytest."""

COMMON = ["-q", "-rfE", "--timeout=60", "-p", "no:cacheprovider", "--maxfail=100000"]
FAILURE = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)
TRACED = re.compile(r"^traced: .*", re.MULTILINE)


def pytest(directory: Path, suite: str, traced: bool, tests: list[str]) -> str:
    """Run some tests of a suite; return what pytest said."""
    python = directory.absolute() / f"venv-{suite}" / "bin" / "python"
    plugin = ["-p", "wrap_plugin"] if traced else []
    process = subprocess.run(
        [str(python), "-m", "pytest", *COMMON, *plugin, *tests],
        cwd=directory / suite,
        env={**os.environ, "PYTHONPATH": str(HERE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return process.stdout


def compare(directory: Path, suite: str) -> bool:
    """Run a suite both ways and say how it went; return whether the law holds."""
    arguments = SUITES.get(suite, ["tests"])
    bare = pytest(directory, suite, False, arguments)
    traced = pytest(directory, suite, True, arguments)
    found = TRACED.search(traced)
    print(f"{suite} bare:   {bare.splitlines()[-1]}")
    print(f"{suite} traced: {traced.splitlines()[-1]} ({found[0] if found else 'nothing traced'})")
    options = [argument for argument in arguments if not argument.startswith("tests")]
    broken = [
        test
        for test in sorted({*FAILURE.findall(traced)} - {*FAILURE.findall(bare)})
        if FAILURE.search(pytest(directory, suite, True, [test, *options]))
    ]
    for test in broken:
        print(f"{suite}: fails only when traced: {test}")
    return bool(found) and " passed" in traced and not broken


def main() -> int:
    """Run the suites named on the command line, or all that there are."""
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    directory = Path(sys.argv[1])
    names = sys.argv[2:] or [name for name in SUITES if (directory / f"venv-{name}").exists()]
    held = [compare(directory, name) for name in names]
    return 0 if held and all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
