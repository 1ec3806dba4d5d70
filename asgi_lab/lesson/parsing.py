r"""A parser on a wire: bytes in, in pieces, and what it makes of them; as text, and as a ladder.

    parsed(Parser(), b"GET / HTTP/1.1\r\n", b"host: a\r\n\r\n")

A parser has one method, `feed(data)`, which returns a list of what it has understood by then.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from asgi_lab.plain import count, shorten
from asgi_lab.scene import roles
from asgi_lab.scene.model import Arrow, Axis, Lane, Note, Scene, Tick
from asgi_lab.view.display import Picture
from asgi_lab.view.plaintext import WIDTH
from asgi_lab.view.sequence import paint

MOST = 60
"""Characters of a label."""


class Parser(Protocol):
    """What takes bytes and returns what it has understood."""

    def feed(self, data: bytes) -> list[Any]:
        """Take the next piece; return the events that it completes."""


def parsed(parser: Parser, *pieces: bytes) -> Picture:
    """Return the ladder of some pieces: what came, and what the parser made of each."""
    scene = ladder([(piece, list(parser.feed(piece))) for piece in pieces])
    return Picture(lambda: _view(scene), lambda rows: scene)


def ladder(steps: Sequence[tuple[bytes, list[Any]]]) -> Scene:
    """Lay out pieces and their events: bytes come from the left, events go to the right."""
    arrows: list[Arrow] = []
    notes: list[Note] = []
    ticks: list[Tick] = []
    at = 0
    for number, (piece, events) in enumerate(steps, 1):
        ticks.append(Tick(at, f"read {number}"))
        arrows.append(Arrow(at, 0, 1, roles.WIRE_IN, shown(piece)))
        at += 1
        for event in events:
            ticks.append(Tick(at, ""))
            arrows.append(Arrow(at, 1, 2, roles.IN, shorten(str(event), MOST)))
            at += 1
        if not events:
            notes.append(Note(at - 0.5, 1, "nothing yet: it keeps the bytes"))
    total = sum(len(events) for _, events in steps)
    title = f"{count(len(steps), 'read')}, {count(total, 'event')}"
    words = "; ".join(f"{shown(piece)} gives {len(events)}" for piece, events in steps)
    return Scene(
        "sequence",
        title,
        f"What a parser makes of bytes. {title}: {words}.",
        Axis(0, max(at - 1, 1), "step", "reads, one after the other", tuple(ticks)),
        (Lane("network"), Lane("parser"), Lane("server")),
        flow="down",
        arrows=tuple(arrows),
        notes=tuple(notes),
    )


def shown(piece: bytes) -> str:
    """Return bytes as one reads them: `GET / HTTP/1.1⏎`."""
    text = piece.decode("latin-1").replace("\r\n", "⏎").replace("\r", "␍").replace("\n", "␊")
    return shorten(text, MOST) or "(nothing)"


def cuts(data: bytes) -> Iterator[tuple[bytes, ...]]:
    """Yield ways in which a network may deliver bytes: whole, in two at each place, one by one."""
    yield (data,)
    for place in range(1, len(data)):
        yield data[:place], data[place:]
    yield tuple(data[index : index + 1] for index in range(len(data)))


def _view(scene: Scene) -> Any:
    from rich.console import Group
    from rich.text import Text

    return Group(Text(scene.title, "bold"), Text(), *paint(scene, WIDTH))
