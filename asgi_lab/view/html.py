"""A trace as one page that needs nothing else: to be attached to a ticket, opened years later.

    write_html(trace, "report.html")

All is in the file: the pictures with the module that paints them (`static/timeline.js`), the
events, and the trace itself, to be saved and shown again. What is long is compressed, and
unpacked by the browser. The page asks nobody for anything: its policy forbids it. Whatever comes
from an app or its clients is text to it, never markup.
"""

import gzip
import hashlib
import json
import re
from base64 import b64encode
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from asgi_lab import __version__
from asgi_lab.connection import Connection
from asgi_lab.diagnose import Diagnosis, diagnose
from asgi_lab.events import Event, Trace
from asgi_lab.files import encode_trace
from asgi_lab.measures import Measures
from asgi_lab.plain import clean, count
from asgi_lab.scene import Scene, facts, payload
from asgi_lab.scene.choice import choose
from asgi_lab.scene.concurrency import concurrency
from asgi_lab.scene.layers import layers
from asgi_lab.scene.sequence import sequence
from asgi_lab.scene.states import states
from asgi_lab.scene.timeline import timeline
from asgi_lab.text import line
from asgi_lab.view import theme
from asgi_lab.view.diagnosed import cards
from asgi_lab.view.plaintext import plaintext
from asgi_lab.view.summary import headline
from asgi_lab.view.tables import Broken, summary_tables
from asgi_lab.view.terminal import render

STATIC = Path(__file__).parent / "static"

REQUESTS = 50
"""Requests whose own pictures are in the page: of what is wrong, half failed ones, the slowest."""

LANES = 20_000
"""Lanes of the timeline; of more requests, each lane speaks for several."""

EVENTS = 300_000
"""Events in the page, the last ones; the pictures are of all."""

SPOKEN = 200
"""Lanes up to which the timeline is also there as text."""

OF_ONE: Mapping[str, Callable[[Trace, int], Scene]] = {
    "sequence": lambda trace, conn: sequence(trace, conn, depth=0),
    "layers": layers,
    "states": states,
}


def write_html(trace: Trace, path: str | Path) -> None:
    """Write the page to a file. Raises `OSError` if it cannot be written."""
    Path(path).write_text(html(trace), encoding="utf-8", newline="\n")


def html(trace: Trace, *, title: str | None = None) -> str:
    """Return the page; its title is the trace's summary in a line, unless given."""
    measures = Measures(keep=None)
    measures.feed(trace.events)
    kept = trace.of(trace.events[-EVENTS:])
    found = diagnose(trace)
    own = _own(trace, measures, found)
    scene = timeline(trace, rows=LANES, diagnoses=found)
    first = {"scene": payload.header(scene), "text": _timeline_text(trace, scene)}
    parts = {
        "title": escape(clean(title or headline(measures).plain)),
        "about": escape(" · ".join(_about(trace))),
        "summary": summary_tables(measures),
        "diagnoses": cards(found),
        "findings": Broken(trace.events).table(),
        "meta": in_script(_meta(trace, measures, kept, own)),
        "timeline": _packed(json.dumps(first).encode()),
        "items": _packed(payload.columns(scene.items)),
        "requests": _packed(
            json.dumps({c.conn: pictures_of(c.conn, events) for c, events in own}).encode()
        ),
        "events": _packed("\n".join(map(row_of, kept.events)).encode()),
        "trace": _packed(encode_trace(kept)),
        "footer": "All of it is in this file.",
    }
    return filled("report.js", parts)


def filled(source: str, parts: Mapping[str, str], connect: str = "'none'") -> str:
    """Return the page with its parts, HTML all of them; `source` is the script that has its data.

    It may connect to nothing, unless told otherwise.
    """
    script = "\n".join(map(_static, ("timeline.js", "page.js", source)))
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    whole = {
        "policy": POLICY.format(digest=digest, connect=connect),
        "style": colours() + _static("page.css"),
        "script": script,
        "version": escape(__version__),
        **parts,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: whole.get(match[1], ""), _static("page.html"))


POLICY = (
    "default-src 'none'; script-src 'sha256-{digest}'; style-src 'unsafe-inline'; "
    "connect-src {connect}; base-uri 'none'; form-action 'none'"
)
"""Nothing from anywhere; of scripts the page's own."""


def _static(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def _packed(data: bytes) -> str:
    return b64encode(gzip.compress(data, 7, mtime=0)).decode()


def in_script(value: Any) -> str:
    """Return JSON that can stand within a script element."""
    return json.dumps(value).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def colours() -> str:
    """Return the theme's colours, light and dark, as variables."""

    def told(mode: str) -> str:
        raised, called = (getattr(theme.STYLES[role], mode) for role in ("raise", "call"))
        warning, note = (getattr(theme.STYLES[role], mode) for role in ("warning", "note"))
        return (
            f"--paper: {theme.PAPER[mode]}; --ink: {theme.INK[mode]}; --grid: {theme.GRID[mode]}; "
            f"--bad: {raised}; --focus: {called}; --warning: {warning}; --note: {note}; "
            f"color-scheme: {mode};"
        )

    return (
        f":root {{ {told('light')} }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ {told('dark')} }} }}\n"
        f":root[data-theme=light] {{ {told('light')} }}\n"
        f":root[data-theme=dark] {{ {told('dark')} }}\n"
    )


def _about(trace: Trace) -> Iterator[str]:
    """Yield when it was, where, and of what versions."""
    header = trace.header
    if header.get("exact"):
        yield "in virtual time"
    elif isinstance(header.get("started"), int):
        begun = datetime.fromtimestamp(header["started"] / 1e9, UTC)
        yield f"{begun:%Y-%m-%d %H:%M:%S} UTC"
    for name in ("server", "frameworks"):
        told = header.get(name)
        if told:
            yield clean(", ".join(map(str, told)) if isinstance(told, list) else told)
    if header.get("python"):
        yield clean(f"Python {header['python']}, {header.get('platform', '')}".rstrip(", "))
    yield count(len(trace.events), "event")
    if trace.dropped:
        yield f"{count(trace.dropped, 'event')} forgotten for want of room"
    if header.get("redacted"):
        yield "secrets masked"


def _meta(
    trace: Trace, measures: Measures, kept: Trace, own: Sequence[tuple[Connection, Trace]]
) -> Mapping[str, Any]:
    chosen, why = choose(measures)
    every = [c for c in measures.connections if c.type != "lifespan"] or measures.connections
    return {
        "theme": theme.as_json(),
        "chosen": chosen.conn if chosen else 0,
        "why": why,
        "requests": [
            [
                c.conn,
                f"#{c.conn}  {facts.name(c)}  {facts.status(c)}  {facts.total(c, measures.last)}",
            ]
            for c, _ in own
        ],
        "of": len(every),
        "events": len(trace.events),
        "kept": len(kept.events),
        "concurrency": _said(
            concurrency(trace), plaintext(render("concurrency", trace, width=110))
        ),
    }


def _timeline_text(trace: Trace, scene: Scene) -> str:
    few = len(scene.lanes) <= SPOKEN
    return plaintext(render("timeline", trace, width=110), 110) if few else scene.alt


def _said(scene: Scene, text: str) -> dict[str, Any]:
    return {"scene": payload.as_json(scene), "text": text}


def _own(
    trace: Trace, measures: Measures, found: Sequence[Diagnosis]
) -> list[tuple[Connection, Trace]]:
    """Return the connections whose own pictures are in the page, with their events."""
    last = measures.last
    slow = sorted(
        measures.connections, key=lambda c: (c.type == "lifespan", c.started - c.until(last))
    )
    failed = [c for c in slow if c.failed]
    chosen, _ = choose(measures)
    numbers = [c.conn for c in [*([chosen] if chosen else []), *failed[: REQUESTS // 2], *slow]]
    concerned = [conn for one in found[: REQUESTS // 5] for conn in one.conns[:1]]
    wanted = set(list(dict.fromkeys([*concerned, *numbers]))[:REQUESTS])
    events: dict[int, list[Event]] = defaultdict(list)
    for event in trace.events:
        if event.conn in wanted:
            events[event.conn].append(event)
    return [
        (c, replace(trace, events=tuple(events[c.conn]), results=()))
        for c in measures.connections
        if c.conn in wanted
    ]


def pictures_of(conn: int, own: Trace) -> Mapping[str, Any]:
    """Return the pictures of one request, from its events."""
    return {
        name: _said(draw(own, conn), plaintext(render(name, own, width=110, conn=conn), 110))
        for name, draw in OF_ONE.items()
    }


def row_of(event: Event) -> str:
    """Return an event as a line of the page's table."""
    seq, t, conn, layer, kind, *_ = event
    return f"{seq}\t{t / 1e6:,.3f}\t{conn}\t{layer}\t{kind}\t{line(event)}"
