"""What a page says in tables: what it all amounts to, and which rules of ASGI are broken.

Whatever comes from an app or its clients is text in them, never markup.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from asgi_lab.events import Event
from asgi_lab.measures import Measures
from asgi_lab.message import number
from asgi_lab.plain import clean, duration
from asgi_lab.spec.rules import rules
from asgi_lab.view.summary import facts as summed_up

ROUTES = 12

MOST = 200
"""Different broken rules and places that are told; those that come later are not."""


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], style: str = "rows") -> str:
    """Return a table; `#7` in a cell is a button that chooses that request."""

    def cell(text: str) -> str:
        if re.fullmatch(r"#\d+", text):
            return f"<td><button type=button data-conn={text[1:]}>{text}</button>"
        plain = "\n".join(clean(part) for part in text.split("\n"))
        return f"<td>{escape(plain)}"

    head = "".join(f"<th scope=col>{escape(each)}" for each in heads)
    body = "".join(f"<tr>{''.join(map(cell, row))}" for row in rows)
    return f"<table class='{style}'><thead><tr>{head}<tbody>{body}</table>"


def summary_tables(measures: Measures) -> str:
    """Return what it all amounts to: totals, the slowest routes, errors."""
    told = {
        name: text.replace("  (", " (").replace("  ", ", ") for name, text in summed_up(measures)
    }
    rows = [f"<tr><th scope=row>{escape(name)}<td>{escape(text)}" for name, text in told.items()]
    return "".join(
        [f"<table class=facts><tbody>{''.join(rows)}</table>", _routes(measures), _errors(measures)]
    )


def _routes(measures: Measures) -> str:
    slow = sorted(measures.routes.values(), key=lambda route: -route.latency.longest)
    if all(route.count == 1 for route in slow):
        return ""  # the timeline says it all
    told = [
        (clean(r.name), f"{r.count:,}", *(duration(r.latency.quantile(q)) for q in (0.5, 0.95)),
         duration(r.latency.longest), f"{r.errors:,}" if r.errors else "")
        for r in slow[:ROUTES]
    ]  # fmt: skip
    return table(
        ("slowest routes", "requests", "median", "p95", "longest", "failed"), told, "rows numbers"
    )


def _errors(measures: Measures) -> str:
    worst = sorted(measures.failures.values(), key=lambda failure: -failure.count)
    told = [
        (clean(f"{f.error}: {f.message}" if f.message else f.error), clean(f.at), f"{f.count:,}",
         f"#{f.conn}")
        for f in worst[:ROUTES]
    ]  # fmt: skip
    return table(("errors", "at", "times", "last in"), told) if told else ""


@dataclass(slots=True)
class Breach:
    """One rule, broken in one way at one place: how often, and in which connection first."""

    rule: str
    what: str
    at: str
    conn: int
    count: int = 0


class Broken:
    """Broken rules as they come: each rule and place once, with a count."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._known: dict[tuple[str, str, str], Breach] = {}
        self.feed(events)

    def feed(self, events: Iterable[Event]) -> None:
        """Take the next events."""
        for event in events:
            if event.kind != "finding":
                continue
            rule, what, at = (str(event.data.get(name) or "") for name in ("rule", "what", "at"))
            breach = self._known.get((rule, what, at))
            if breach is None:
                if len(self._known) >= MOST:
                    continue
                breach = self._known[rule, what, at] = Breach(rule, what, at, event.conn)
            if "count" in event.data and breach.count:  # the sum, at the end of a connection
                breach.count += max(number(event.data["count"]) - 1, 0)
            else:
                breach.count += number(event.data.get("count")) or 1

    def table(self) -> str:
        """Return them as a section of a page, the most frequent first; empty if there is none."""
        if not self._known:
            return ""
        known = rules()
        told = []
        for one in sorted(self._known.values(), key=lambda breach: -breach.count):
            rule = known.get(one.rule)
            sentence, remedy = (rule.sentence, rule.remedy) if rule else ("", "")
            told.append(
                (one.rule, f"{sentence}\n{one.what}", one.at, remedy, f"{one.count:,}",
                 f"#{one.conn}")
            )  # fmt: skip
        heads = ("rule", "what it asks, and what was seen", "at", "what to do", "times", "first in")
        whole = table(heads, told, "rows findings")
        return f"<section><h2>Broken rules of ASGI</h2>{whole}</section>"
