"""What is wrong, and what to do, as a page tells it: a card a diagnosis, that shows where."""

import re
from collections.abc import Iterator, Sequence
from html import escape

from asgi_lab.diagnose import DIAGNOSES, WARNING, Diagnosis
from asgi_lab.plain import clean

MOST = 30
"""Diagnoses on cards, the worst ones."""

FEW = 4
"""Diagnoses told in full; of more, a line each, and in full what is chosen."""

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")

SIGNS = {
    "warning": '<path d="M8 1 15.5 14.5H.5Z"/><path class=ink d="M7.1 5.5h1.8l-.3 4.7H7.4z'
    'M7.1 11.2h1.8V13H7.1z"/>',
    "note": "<circle cx=8 cy=8 r=7 /><path class=ink d='M7.1 3.5h1.8v1.9H7.1z"
    "M7.1 6.6h1.8v6H7.1z'/>",
}
"""A triangle and a disc: told apart without their colours."""

NOTHING = (
    f"Nothing is wrong that can be seen from here: of {len(DIAGNOSES)} things that are looked for "
    "(<code>asgi-lab explain</code> lists them), none was found."
)


def cards(found: Sequence[Diagnosis]) -> str:
    """Return the section of a page; of a healthy app, one quiet line."""
    if not found:
        return f"<p class=soft>{NOTHING}</p>"
    told = "".join(card(number, one) for number, one in enumerate(found[:MOST]))
    rest = len(found) - MOST
    more = f"<p class=soft>and {rest:,} more: asgi-lab show tells all</p>" if rest > 0 else ""
    many = " many" if len(found) > FEW else ""
    return f"<h2>What is wrong, and what to do</h2><ol class='diagnoses{many}'>{told}</ol>{more}"


def card(number: int, one: Diagnosis) -> str:
    """Return one diagnosis; its button, and the whole card, choose what it is about."""
    conn = f" data-of={one.conns[0]}" if one.conns else ""
    times = f" <span class=soft>× {one.count:,}</span>" if one.count > 1 else ""
    sign = f"<svg viewBox='0 0 16 16' aria-hidden=true>{SIGNS[one.severity]}</svg>"
    title = "" if one.severity == WARNING else " <span class=soft>(note)</span>"
    rows = "".join(f"<dt>{name}<dd>{told}" for name, told in facts(one))
    return (
        f"<li class={one.severity} data-diagnosis={number}{conn}>"
        f"<h3>{sign}<button type=button title='show it in the timeline' "
        f"aria-label='{one.severity} {one.id}: show it in the timeline'>{one.id}</button>"
        f"{title}{times}</h3><p>{plain(one.sentence)}<dl>{rows}</dl></li>"
    )


def facts(one: Diagnosis) -> Iterator[tuple[str, str]]:
    """Yield where, why, what to do and where to read on, as HTML."""
    for name, text in one.rows():
        yield name, f"<code>{plain(text)}</code>" if name in ("at", "more") else plain(text)


def plain(text: str) -> str:
    """Return words as HTML; what stands in backquotes is code, and an option is never broken."""
    whole = OPTION.sub(lambda match: f"<span class=option>{match[0]}</span>", escape(clean(text)))
    parts = whole.split("`")
    if len(parts) % 2 == 0:  # one that has no other
        return "`".join(parts)
    return "".join(f"<code>{p}</code>" if n % 2 else p for n, p in enumerate(parts))
