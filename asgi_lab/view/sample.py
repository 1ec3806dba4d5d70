"""A small trace made by hand, for the demos of the views: `python -m asgi_lab.view.terminal`.

One request awaits; another holds the loop for 300 ms meanwhile, and the first cannot run; a third
fails as soon as the loop is free. All of it passes through one middleware.
"""

from typing import Any

from asgi_lab.events import Event, Trace

MS = 1_000_000
OK = {"type": "http.response.start", "status": 200, "headers": [["content-type", "text/plain"]]}


def sample_trace() -> Trace:
    """Return the events, in order of time."""
    facts = sorted([*_waits(1), *_blocks(2), *_fails(3)], key=lambda fact: fact[0])
    events = (
        Event(seq, round(ms * MS), conn, layer, kind, conn, data)
        for seq, (ms, conn, layer, kind, data) in enumerate(facts)
    )
    return Trace(tuple(events))


Fact = tuple[float, int, int, str, dict[str, Any]]


def _begin(at: float, conn: int, path: str) -> list[Fact]:
    scope = {"type": "http", "method": "GET", "path": path, "headers": []}
    layer = {"layer": "GZipMiddleware"}
    return [
        (at, conn, 0, "scope", scope),
        (at, conn, 0, "run", {}),
        (at + 1, conn, 1, "scope", layer),
    ]


def _answer(at: float, conn: int, body: str) -> list[Fact]:
    zipped = {**OK, "headers": [*OK["headers"], ["vary", "accept-encoding"]]}  # type: ignore[misc]
    said = {"type": "http.response.body", "body": body}
    return [
        (at, conn, 1, "send", OK),
        (at + 0.02, conn, 0, "send", zipped),
        (at + 0.03, conn, 1, "send", said),
        (at + 0.04, conn, 0, "send", said),
    ]


def _end(end: float, conn: int, took: float, kind: str = "return", **data: str) -> list[Fact]:
    return [
        (end, conn, 1, kind, {"took": round((took - 1) * MS), **data}),
        (end + 0.01, conn, 0, kind, {"took": round(took * MS), **data}),
        (end + 0.02, conn, 0, "ran", {"took": 2 * MS}),
    ]


def _waits(conn: int) -> list[Fact]:
    return [
        *_begin(0, conn, "/waits?for=timer"),
        (2, conn, 0, "ran", {"took": 2 * MS}),
        (405, conn, 0, "run", {}),
        *_answer(406, conn, "slept well"),
        *_end(407, conn, 407),
    ]


def _blocks(conn: int) -> list[Fact]:
    return [
        *_begin(50, conn, "/blocks"),
        *_answer(350, conn, "sorry"),
        *_end(351, conn, 301)[:2],
        (351.1, conn, 0, "ran", {"took": 301 * MS}),
    ]


def _fails(conn: int) -> list[Fact]:
    error = {"error": "KeyError", "message": "'user'", "at": "shop.py:12 in cart"}
    return [*_begin(352, conn, "/cart"), *_end(354, conn, 2, "raise", **error)]


def busy_trace(least: int) -> Trace:
    """Return a trace of at least so many events: many requests at once, on one event loop.

    Requests of five kinds begin every 400 µs; some stream, one in forty fails.
    """
    facts: list[Fact] = []
    conn = 0
    while len(facts) < least:
        conn += 1
        facts += _visit(conn, conn * 0.4)
    facts.sort(key=lambda fact: fact[0])
    events = (
        Event(seq, round(ms * MS), conn, layer, kind, conn, data)
        for seq, (ms, conn, layer, kind, data) in enumerate(facts)
    )
    return Trace(tuple(events))


def _visit(conn: int, at: float) -> list[Fact]:
    kind = conn * 7 % 5
    path = ("/", "/items", f"/items/{conn % 97}", "/report", "/stream")[kind]
    took = (3.0, 12.0, 7.0, 60.0, 40.0)[kind] + conn * 13 % 17 / 4
    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "path": path, "query_string": "",
        "headers": [["host", "shop.example"], ["x-request-id", f"{conn * 7919 % 99991:05d}"]],
        "client": ["127.0.0.1", 40000 + conn % 20000],
    }  # fmt: skip
    facts: list[Fact] = [
        (at, conn, 0, "scope", scope),
        (at, conn, 0, "run", {}),
        (at + 0.02, conn, 0, "receive", {}),
        (at + 0.03, conn, 0, "received", {"type": "http.request", "body": "", "took": 10_000}),
        (at + 0.1, conn, 0, "ran", {"took": 100_000}),
    ]
    end = at + took
    for part in range(16 if kind == 4 else 0):
        chunk = {"type": "http.response.body", "body": f"line {part}\n", "more_body": True}
        when = at + took * (part + 1) / 18
        facts += [
            (when, conn, 0, "run", {}),
            (when + 0.01, conn, 0, "send", chunk),
            (when + 0.02, conn, 0, "sent", {"took": 10_000}),
            (when + 0.03, conn, 0, "ran", {"took": 30_000}),
        ]
    facts.append((end, conn, 0, "run", {}))
    if conn % 40 == 0:
        error = {"error": "KeyError", "message": f"'{conn}'", "at": "shop.py:12 in cart"}
        facts.append((end + 0.05, conn, 0, "raise", {"took": round(took * MS), **error}))
    else:
        body = {"type": "http.response.body", "body": f'{{"id": {conn}}}'}
        facts += [
            (end + 0.01, conn, 0, "send", OK),
            (end + 0.02, conn, 0, "sent", {"took": 10_000}),
            (end + 0.03, conn, 0, "send", body),
            (end + 0.04, conn, 0, "sent", {"took": 10_000}),
            (end + 0.05, conn, 0, "return", {"took": round(took * MS)}),
        ]
    facts.append((end + 0.06, conn, 0, "ran", {"took": 60_000}))
    return facts
