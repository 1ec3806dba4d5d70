"""The summary: what happened, in plain words and at most 24 lines."""

import os
import textwrap
from collections.abc import Iterator

from rich.console import Group
from rich.text import Text

from asgi_lab.measures import Measures
from asgi_lab.text import clean, count, duration, shorten, size
from asgi_lab.view.rows import ERROR, QUIET

LABEL = 12
"""Cells of the labels at the left."""

ROUTES = 5
ERRORS = 3


def summary(measures: Measures, width: int, dropped: int = 0, cost: int | None = None) -> Group:
    """Return the summary of what was seen; `cost` is the tracer's own work in nanoseconds."""
    lines = [_headline(measures)]
    for label, text in _facts(measures):
        lines.append(_line(label, text, width))
    if dropped:
        lines.append(
            _line("missing", f"{count(dropped, 'event')} forgotten for want of room", width)
        )
    if cost is not None and measures.span:
        share = f"{100 * cost / measures.span:.1f} % of the time"
        lines.append(_line("tracer", f"{count(measures.events, 'event')}, {share}", width))
    lines += _routes(measures, width)
    lines += _errors(measures, width)
    return Group(*lines)


def _headline(m: Measures) -> Text:
    span = duration(m.span)
    sizes = f"{size(m.bytes_in)} in, {size(m.bytes_out)} out"
    if not m.requests:
        return Text(f"no requests in {span}", "bold")
    flight = f", {m.most_in_flight} in flight at most" if m.most_in_flight > 1 else ""
    return Text(f"{count(m.requests, 'request')} in {span}{flight}; {sizes}", "bold")


def _line(label: str, text: str, width: int) -> Text:
    """Return a labelled fact, on as many lines as it needs."""
    head = f"  {label:<{LABEL}}"
    room = max(width - len(head), 20)
    return Text(head + f"\n{' ' * len(head)}".join(textwrap.wrap(text, room)))


def _facts(m: Measures) -> Iterator[tuple[str, str]]:
    if m.statuses:
        counts = [f"{name} × {n:,}" for name, n in sorted(m.statuses.items())]
        ends = [
            f"{m.outcomes[name]:,} {name}" for name in ("raised", "cancelled") if m.outcomes[name]
        ]
        yield "status", "  ".join(counts) + (f"  ({', '.join(ends)})" if ends else "")
    if m.latency.count:
        text = ", ".join(
            f"{name} {duration(m.latency.quantile(q))}"
            for name, q in (("median", 0.5), ("p95", 0.95), ("p99", 0.99), ("longest", 1))
        )
        yield "latency", text
    if m.in_flight:
        yield "in flight", f"{count(m.in_flight, 'connection')} still open"
    if m.hold.took:
        by = f"{clean(m.hold.route)} (#{m.hold.conn})"
        longest = f"longest {duration(m.hold.took)} by {by}"
        yield "event loop", f"held {100 * m.utilisation:.0f} % of the time; {longest}"
    if m.threads.calls:
        yield "threads", _threads(m)
    if m.types["websocket"]:
        ends = [f"{code or 'no code'} × {n:,}" for code, n in sorted(m.codes.items())]
        closed = f"; closed with {', '.join(ends)}" if ends else ""
        yield "WebSockets", f"{m.types['websocket']:,} opened{closed}"
    if m.types["lifespan"]:
        yield "lifespan", _lifespan(m)


def _threads(m: Measures) -> str:
    threads = m.threads
    text = f"{count(threads.calls, 'call')}, at most {threads.most_busy} at once"
    if threads.longest_queue:
        wait = duration(threads.longest_queue)
        text += f"; waited up to {wait} for a thread (#{threads.longest_queue_conn})"
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
    return f"{text}: {clean(span.message)}" if span.message else text


def _routes(m: Measures, width: int) -> list[Text]:
    slow = sorted(m.routes.values(), key=lambda route: -route.latency.longest)[:ROUTES]
    if not slow:
        return []
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
        where = f"at {clean(nearby(failure.at))}, " if failure.at else ""
        lines.append(Text(shorten(f"      {where}last in #{failure.conn}", width), QUIET))
    if len(worst) > ERRORS:
        lines.append(Text(f"  … and {count(len(worst) - ERRORS, 'other error')}", QUIET))
    return lines


def nearby(at: str) -> str:
    """Return `file:line in function` with the file relative to here, if it is below."""
    here = os.getcwd() + os.sep
    return at[len(here) :] if at.startswith(here) else at
