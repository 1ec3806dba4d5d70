"""The summary: what happened, in plain words and at most 24 lines."""

import textwrap
from collections.abc import Iterator, Sequence

from rich.console import Group
from rich.text import Text

from asgi_lab.connection import Connection
from asgi_lab.measures import Measures
from asgi_lab.plain import clean, count, duration, shorten, size
from asgi_lab.view.rows import ERROR, QUIET
from asgi_lab.waiting import during, just_after

LABEL = 12
"""Cells of the labels at the left."""

ROUTES = 5
ERRORS = 3


def summary(
    measures: Measures,
    width: int,
    dropped: int = 0,
    cost: int | None = None,
    events: int | None = None,
) -> Group:
    """Return the summary of what was seen; `cost` is the tracer's own work in nanoseconds.

    `events` says how many were recorded, if not all were measured.
    """
    recorded = measures.events if events is None else events
    told = [*facts(measures), *_own(measures, dropped, cost, recorded)]
    lines = [_line(label, text, width) for label, text in told]
    return Group(headline(measures), *lines, *_routes(measures, width), *_errors(measures, width))


def headline(m: Measures) -> Text:
    """Return how much there was, and in what time."""
    span = duration(m.span)
    sizes = f"{size(m.bytes_in)} in, {size(m.bytes_out)} out"
    if not m.requests:
        some = f"{count(m.events, 'event')} of {count(len(m.connections), 'connection')}"
        return Text(f"{some if m.connections else 'no requests'} in {span}", "bold")
    flight = f", {m.most_in_flight} in flight at most" if m.most_in_flight > 1 else ""
    return Text(f"{count(m.requests, 'request')} in {span}{flight}; {sizes}", "bold")


def _line(label: str, text: str, width: int) -> Text:
    """Return a labelled fact, on as many lines as it needs."""
    head = f"  {label:<{LABEL}}"
    room = max(width - len(head), 20)
    return Text(head + f"\n{' ' * len(head)}".join(textwrap.wrap(text, room)))


def facts(m: Measures) -> Iterator[tuple[str, str]]:
    """Yield what there is to say in all: what it is about, and the words."""
    if m.statuses:
        counts = [f"{name} × {n:,}" for name, n in sorted(m.statuses.items())]
        ends = [f"{m.outcomes[how]:,} {text}" for how, text in ENDS.items() if m.outcomes[how]]
        yield "status", "  ".join(counts) + (f"  ({', '.join(ends)})" if ends else "")
    if m.latency.count:
        yield "latency", _latency(m)
    if m.in_flight:
        yield "in flight", f"{count(m.in_flight, 'connection')} still open"
    if m.loops.held:
        yield "event loop", _loop(m)
    if m.threads.calls:
        yield "threads", _threads(m)
    if m.types["websocket"]:
        ends = [f"{code or 'no code'} × {n:,}" for code, n in sorted(m.codes.items())]
        closed = f"; closed with {', '.join(ends)}" if ends else ""
        yield "WebSockets", f"{m.types['websocket']:,} opened{closed}"
    if m.wire.connections:
        text = f"{count(m.wire.connections, 'connection')}, {size(m.wire.bytes_in)} in"
        pauses = f", {count(m.wire.pauses, 'pause')}" if m.wire.pauses else ""
        yield "wire", f"{text}, {size(m.wire.bytes_out)} out{pauses}"
    if m.types["lifespan"]:
        yield "lifespan", _lifespan(m)


def _own(m: Measures, dropped: int, cost: int | None, recorded: int) -> Iterator[tuple[str, str]]:
    if dropped:
        yield "missing", f"{count(dropped, 'event')} forgotten for want of room"
    if cost is not None and m.span:
        share = f"{100 * cost / m.span:.1f} % of the time"
        yield "tracer", f"{count(recorded, 'event')}, {share}"


ENDS = {"raised": "ended by an exception", "cancelled": "cancelled"}

QUANTILES = (("median", 0.5, 3), ("p95", 0.95, 20), ("p99", 0.99, 100), ("longest", 1.0, 0))
"""Their names, shares, and of how many requests they say something."""


def _latency(m: Measures) -> str:
    latency = m.latency
    shown = [(name, q) for name, q, least in QUANTILES if latency.count >= least]
    text = ", ".join(f"{name} {duration(latency.quantile(q))}" for name, q in shown)
    slowest = max(m.routes.values(), key=lambda route: route.latency.longest)
    return f"{text} ({clean(slowest.name)})"


LONG = 50_000_000
"""Nanoseconds from which on a slice that holds the loop is told with those who waited for it."""


def _loop(m: Measures) -> str:
    hold = m.loops.longest
    by = f"{clean(hold.route)} (#{hold.conn})"
    text = f"held {100 * m.utilisation:.0f} % of the time, "
    if hold.took < LONG:
        return f"{text}at most {duration(hold.took)} at a stretch, by {by}"
    text = f"{text}for {duration(hold.took)} at a stretch by {by}"
    waited, after = _numbers(during(m, hold)), _numbers(just_after(m, hold))
    if waited:
        text += f"; meanwhile {waited} could not run"
    return f"{text}; {after} got in right after" if after else text


def _numbers(connections: Sequence[Connection]) -> str:
    """Return which connections: `#2, #4`; of many, how many."""
    if len(connections) > MANY:
        return f"{len(connections):,} others"
    return ", ".join(f"#{c.conn}" for c in connections)


MANY = 6


def _threads(m: Measures) -> str:
    threads = m.threads
    text = f"{count(threads.calls, 'call')} in worker threads, at most {threads.most_busy} at once"
    if threads.longest_queue:
        wait = duration(threads.longest_queue)
        text += f"; waited up to {wait} for one (#{threads.longest_queue_conn})"
    return text


def _lifespan(m: Measures) -> str:
    span = m.lifespan
    parts = []
    for name, how, took in (
        ("startup", span.startup, span.startup_took),
        ("shutdown", span.shutdown, span.shutdown_took),
    ):
        if how:
            parts.append(f"{name} {how}{f' in {duration(took)}' if took else ''}")
    text = ", ".join(parts) or "startup not finished"
    said = span.message.strip().rpartition("\n")[2]  # of a traceback, the error
    return f"{text}: {shorten(clean(said), 120)}" if said else text


def _routes(m: Measures, width: int) -> list[Text]:
    slow = sorted(m.routes.values(), key=lambda route: -route.latency.longest)[:ROUTES]
    if all(route.count == 1 for route in slow):
        return []  # the table of requests says it all
    room = max(min(max(len(clean(route.name)) for route in slow), width - 42), 14)
    head = f"  {'slowest routes':<{room}}  {'count':>8} {'median':>8} {'longest':>8}"
    failures = any(route.errors for route in slow)
    lines = [Text(), Text(head + (f" {'failed':>8}" if failures else ""), "bold")]
    for route in slow:
        name = shorten(clean(route.name), room, "middle")
        latency = route.latency
        line = Text(f"  {name:<{room}}  {route.count:>8,} {duration(latency.quantile(0.5)):>8} ")
        line.append(f"{duration(latency.longest):>8}")
        if route.errors:
            line.append(f" {route.errors:>8,}", ERROR)
        lines.append(line)
    return lines


def _errors(m: Measures, width: int) -> list[Text]:
    worst = sorted(m.failures.values(), key=lambda failure: -failure.count)
    if not worst:
        return []
    lines = [Text(), Text("  errors", "bold")]
    for failure in worst[:ERRORS]:
        message = f": {failure.message}" if failure.message else ""
        what = f"  {failure.count:,} × {clean(failure.error + message)}"
        lines.append(Text(shorten(what, width), ERROR))
        where = f"at {clean(failure.at)}, " if failure.at else ""
        lines.append(Text(shorten(f"      {where}last in #{failure.conn}", width), QUIET))
    if len(worst) > ERRORS:
        lines.append(Text(f"  … and {count(len(worst) - ERRORS, 'other error')}", QUIET))
    return lines
