"""A difference in the terminal: what differs in words, and two conversations side by side."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from rich.console import Console, Group
from rich.text import Text

from asgi_lab.difference import Difference, Line, Pair
from asgi_lab.plain import clean, count, duration, shorten
from asgi_lab.scene.roles import CHANGED, ONLY_A, ONLY_B, SAME
from asgi_lab.view.rows import QUIET
from asgi_lab.view.theme import STYLES, terminal_style

WORDS = 15
"""Differences told of one request; of more, their number."""

GROUPS = 30
"""Requests told of, likewise."""

FEW = 4
"""So many equal lines in a row are shown; of more, the first and their number."""

TIME = 9
"""Cells of a time."""

SIGNS = {SAME: " ", **{role: STYLES[role].glyph for role in (CHANGED, ONLY_A, ONLY_B)}}


def difference_view(difference: Difference, width: int) -> Group:
    """Say what differs, request by request; those that differ in one way together."""
    lines: list[Text] = [Text(difference.verdict(), "bold")]
    for pairs, words in difference.groups[:GROUPS]:
        lines += [Text(), heading(pairs, difference.names)]
        for number, told in enumerate(words[:WORDS]):
            change = pairs[0].changes[number]
            role = role_of(change.about, pairs[0])
            lines.append(Text(f"  {SIGNS[role]} {told}", terminal_style(role)))
        if len(words) > WORDS:
            lines.append(Text(f"  … {count(len(words) - WORDS, 'difference')} more", QUIET))
    left = len(difference.groups) - GROUPS
    if left > 0:
        lines += [Text(), Text(f"… and {left} more that differ in other ways", QUIET)]
    return Group(*lines)


def role_of(about: str, pair: Pair) -> str:
    """Return how a difference is painted: as a change, unless a whole request is missing."""
    if about != "request":
        return CHANGED
    return ONLY_A if pair.b is None else ONLY_B


def heading(pairs: Sequence[Pair], names: tuple[str, str]) -> Text:
    """Return which requests these are, and their numbers in both."""
    text = Text(pairs[0].label, "bold")
    if len(pairs) > 1:
        text.append(f" ×{len(pairs)}", "bold")
    numbers = [
        f"{clean(name)} {numbered(c.conn for pair in pairs if (c := getattr(pair, side)))}"
        for side, name in zip(("a", "b"), names, strict=True)
        if any(getattr(pair, side) for pair in pairs)
    ]
    return text.append(f"   {', '.join(numbers)}", QUIET)


def numbered(conns: Iterable[int]) -> str:
    """Return the numbers of connections, at most four: `#2, #3, #5, #8 …`."""
    every = list(conns)
    return ", ".join(f"#{conn}" for conn in every[:4]) + (" …" if len(every) > 4 else "")


def alignment_view(difference: Difference, pair: Pair, width: int) -> Group:
    """Draw one request's two conversations side by side, with what differs below each line."""
    room = max((width - 2 * TIME - 8) // 2, 12)
    lines = [heading([pair], difference.names), Text()]
    left, right = (clean(name) for name in difference.names)
    head = f"  {'':>{TIME}} {shorten(left, room):<{room}}  {'':>{TIME}} {shorten(right, room)}"
    lines.append(Text(head.rstrip(), "bold", no_wrap=True))
    lines += list(rows(pair, room))
    apart = [change for change in pair.changes if not told_in_lines(change.words, pair)]
    if apart:
        lines += [Text(), Text("in all", "bold")]
        lines += [Text(f"{SIGNS[CHANGED]} {change.words}", terminal_style(CHANGED))
                  for change in apart]  # fmt: skip
    lines += [Text(), Text(f"{SIGNS[CHANGED]} differs  {SIGNS[ONLY_A]} only in {left}  "
                           f"{SIGNS[ONLY_B]} only in {right}", QUIET)]  # fmt: skip
    return Group(*lines)


def told_in_lines(words: str, pair: Pair) -> bool:
    """Return whether a difference stands below its line, or is one."""
    if any(words == change.words for line in pair.lines for change in line.changes):
        return True
    return words.startswith(("only ", "layer "))


def rows(pair: Pair, room: int) -> Iterator[Text]:
    """Yield the lines; of many that are the same on both sides, the first few and how many."""
    for _, same in groupby(pair.lines, key=_alike):
        run = list(same)
        shown = run if len(run) <= FEW else run[: FEW - 1]
        for line in shown:
            yield from row(line, room)
        if len(run) > len(shown):
            sign = SIGNS[run[0].role]
            yield Text(f"{sign} {'⋮':>{TIME}} {len(run) - len(shown):,} more", QUIET)


def _alike(line: Line) -> tuple[object, ...]:
    step = line.a or line.b
    unchanged = line if line.changes else None  # what differs stands alone
    return (line.role, step and step.key, id(unchanged) if unchanged else 0)


def row(line: Line, room: int) -> Iterator[Text]:
    """Yield one line, and what differs in it."""
    cells = [
        f"{duration(step.after) if step else '':>{TIME}} {shorten(words, room):<{room}}"
        for step, words in zip((line.a, line.b), line.words, strict=True)
    ]
    style = "" if line.role == SAME else terminal_style(line.role)
    yield Text(f"{SIGNS[line.role]} {'  '.join(cells)}".rstrip(), style, no_wrap=True)
    for change in line.changes:
        yield Text(f"  {'':>{TIME}}   {change.words}", terminal_style(CHANGED))


def as_text(difference: Difference, width: int = 100) -> str:
    """Return what differs as plain text."""
    console = Console(width=width, color_system=None, force_terminal=False, highlight=False)
    with console.capture() as capture:
        console.print(difference_view(difference, width), markup=False)
    return capture.get().rstrip()
