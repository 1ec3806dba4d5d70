"""Where a command writes: results to standard output, all that is said about them to stderr."""

import os
import sys
from collections.abc import Callable
from typing import IO, Any, cast

from rich.console import Console

PLAIN_WIDTH = 100
"""Columns where there is no terminal to ask."""

USAGE = 2
"""The exit code for what the user has to change: a bad target, a bad file, a busy port."""


class Output:
    """Standard output, of which a reader such as `head` may have seen enough.

    What is written after that, or once a disk is full, goes nowhere; `on_closed` is called once.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.closed_early = False
        self.on_closed: Callable[[], object] = int

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, text: str) -> None:
        """Write to the file, as long as anybody reads it."""
        self._try(lambda: self._file.write(text))

    def flush(self) -> None:
        """Flush the file, as long as anybody reads it."""
        self._try(self._file.flush)

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                warn(f"cannot write the output: {error.strerror}")
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._file.fileno())
            os.close(nowhere)
            self.closed_early = True
            self.on_closed()


def make_console(stream: IO[str] | None = None) -> tuple[Console, Output]:
    """Return a console (as wide as the terminal, or `PLAIN_WIDTH`) and what it writes to.

    It writes to standard output, or to another `stream`.
    """
    stream = stream or sys.stdout
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")  # for a terminal that knows no bars
    output = Output(stream)
    plain: Any = None if os.environ.get("NO_COLOR") else "auto"
    file = cast(IO[str], output)
    console = Console(file=file, color_system=plain, highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PLAIN_WIDTH
    return console, output


def say(line: str) -> None:
    """Print a line on stderr, if anybody reads it."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        pass


def warn(message: str) -> None:
    """Say something on stderr, in the name of this command."""
    say(f"asgi-lab: {message}")


def fail(message: str) -> int:
    """Say what is wrong on stderr; return the exit code for usage errors."""
    warn(message)
    return USAGE
