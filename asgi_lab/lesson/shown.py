"""What came of an answer, in the terminal and in a notebook: each check, and where to look."""

import textwrap
from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from asgi_lab.lesson.checking import Outcome
from asgi_lab.lesson.failed import Failed
from asgi_lab.plain import clean
from asgi_lab.scene.pointing import pointed
from asgi_lab.scene.sequence import sequence
from asgi_lab.view.rows import ERROR, QUIET
from asgi_lab.view.sequence import paint

MOST = 14
"""Lines of a picture, at most."""

GOOD, WRONG, LEFT = "✓", "✗", "·"
INDENT = "    "


def outcome_view(outcome: Outcome, title: str, width: int = 100) -> Group:
    """Draw an outcome: its checks, and of the one that failed what was expected, and the trace."""
    lines: list[RenderableType] = [Text(title, "bold")]
    lines += [Text(f"  {GOOD} {name}", "#009e73") for name in outcome.passed]
    if outcome.failure is not None:
        lines.append(Text(f"  {WRONG} {outcome.failed}", ERROR))
        lines += [Text(INDENT + line) for line in told(outcome.failure, width - len(INDENT))]
        lines += picture(outcome.failure, width)
    lines += [Text(f"  {LEFT} {name}", QUIET) for name in outcome.left]
    if outcome.printed.strip():
        printed = (clean(line) for line in outcome.printed.strip().splitlines()[:MOST])
        lines += [Text("  it printed", QUIET), *(Text(INDENT + line) for line in printed)]
    return Group(*lines)


def told(failure: Failed, width: int) -> Iterator[str]:
    """Yield what is said of a failure, line by line."""
    yield from wrapped(failure.expected, "expected  ", width)
    yield from wrapped(failure.shown, "but       ", width)
    if failure.advice:
        yield ""
        yield from wrapped(failure.advice, "", width)


def wrapped(text: str, head: str, width: int) -> Iterator[str]:
    """Yield the lines of a text, none of them too long, each as far from the left as the first."""
    for line in text.splitlines() or [""]:
        inner = line[: len(line) - len(line.lstrip())] + "  " * line.lstrip().startswith("- ")
        lines = textwrap.wrap(line, width - len(head), subsequent_indent=inner) or [""]
        for each in lines:
            yield f"{head}{each}".rstrip()
            head = " " * len(head)


def picture(failure: Failed, width: int) -> list[Text]:
    """Return the lines of the connection's sequence around the event; none without an event."""
    event, trace = failure.event, failure.trace
    if event is None or trace is None or not event.conn:
        return []
    scene = pointed(sequence(trace, event.conn, depth=0), event.seq)
    lines = paint(scene, width - 2 * len(INDENT))
    here = next((i for i, line in enumerate(lines) if "▲ here" in line.plain), len(lines))
    first = max(min(here - MOST + 3, len(lines) - MOST), 1)
    shown = [lines[0], *lines[first : first + MOST]]
    return [Text(), *(Text(INDENT).append_text(line) for line in shown), Text()]


class Shown:
    """An outcome as a notebook shows it: the words, and the picture with the event marked."""

    def __init__(self, outcome: Outcome, title: str) -> None:
        self.outcome = outcome
        self.title = title

    @property
    def ok(self) -> bool:
        """Whether all checks passed."""
        return self.outcome.ok

    def __str__(self) -> str:
        from asgi_lab.view.plaintext import plaintext

        return plaintext(outcome_view(self.outcome, self.title))

    __repr__ = __str__

    def _repr_mimebundle_(self, **_: Any) -> Any:
        from asgi_lab.view.display import TEXT

        return {TEXT: str(self)}, {}
