"""What is wrong, at the end of a command: told, and held against `--strict`."""

from collections.abc import Sequence
from textwrap import wrap

from rich.console import Console
from rich.text import Text

from asgi_lab.commands.output import say, warn
from asgi_lab.diagnose import WARNING, Diagnosis, diagnose
from asgi_lab.diagnose.diagnosis import told
from asgi_lab.diagnose.formats import among, everything, versions
from asgi_lab.events import Trace

STYLES = {"warning": "bold #d55e00", "note": "bold"}

FAILED = 1
"""The exit code under `--strict`, if something is wrong."""


def print_diagnoses(console: Console, trace: Trace, only: set[int] | None = None) -> None:
    """Print what is wrong in a trace, if anything; `only` of these connections."""
    found = [*among(diagnose(trace), only)]
    if not found:
        return
    console.print()
    for number, one in enumerate(found):
        if number:
            console.print()
        for line in lines_of(one, console.width):
            console.print(line)
    seen = versions(trace)
    if seen:
        console.print(Text(f"\nseen on {seen}", "bright_black"))


def lines_of(one: Diagnosis, width: int) -> list[Text]:
    """Return a diagnosis in lines of at most `width` cells."""
    head, *rest = told(one)
    first, *more = wrap(head, width, subsequent_indent="    ", break_on_hyphens=False)
    start = Text(first)
    start.stylize(STYLES[one.severity], 0, len(one.id) + 2)
    lines = [start, *map(Text, more)]
    for text in rest:
        lines += map(Text, wrap(text, width, subsequent_indent=" " * 10, break_on_hyphens=False))
    return lines


def strict_code(trace: Trace) -> int:
    """Return 1 if a binding rule is broken, or a diagnosis warns; say which on stderr."""
    bad: Sequence[Diagnosis] = [one for one in everything(trace) if one.severity == WARNING]
    if not bad:
        return 0
    warn(f"--strict: {len(bad)} of what was found must not be")
    for one in bad:
        at = f", at {one.at}" if one.at else ""
        say(f"  {one.name}  {one.request}{at}  ({one.more})")
    return FAILED
