"""Milliseconds of CPU until the command line is ready, over those of Python alone."""

import os
import subprocess
import sys
from functools import partial
from statistics import median

from bench.pairs import in_turns

GOAL = 60
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import asgi_lab": ["-c", "import asgi_lab"],
    "import click": ["-c", "import click"],
    "asgi-lab --help": ["-m", "asgi_lab", "--help"],
    "uvicorn --version": ["-m", "uvicorn", "--version"],
}


def report(rounds: int) -> None:
    """Print what each command takes over Python alone."""
    measures = {name: partial(cpu, arguments) for name, arguments in COMMANDS.items()}
    times = in_turns(measures, rounds)
    bare, *rest = COMMANDS
    print(f"\nCPU milliseconds to start, over `{bare}`")
    for name in rest:
        over = median(a - b for a, b in zip(times[name], times[bare], strict=True)) * 1e3
        note = f"   goal {GOAL}" if name == "asgi-lab --help" else ""
        print(f"  {name:32} {over:6.0f}{note}")


def cpu(arguments: list[str]) -> float:
    """Return the CPU seconds of a Python command."""
    before = os.times()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    ours, theirs = (before, after)
    return (theirs.children_user + theirs.children_system) - (
        ours.children_user + ours.children_system
    )
