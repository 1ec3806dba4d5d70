"""A trace as an HTTP archive (HAR 1.2): for browsers' network panels, and whoever reads those.

    write_har(trace, "trace.har")

It says what the app saw and said. Times are the app's: `send` until it had the whole request,
`wait` until it began to answer, `receive` until it had handed over the last of the answer. What a
trace does not know (looking up names, connecting, TLS) is -1, as the format wants it. Of bodies it
has what the trace has kept, and a comment where that is not all. Messages of WebSockets are in
`_webSocketMessages`, as Chrome writes them: `send` is what the client sends.
"""

import json
from base64 import b64encode
from collections.abc import Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

from asgi_lab import __version__
from asgi_lab.events import Event, Trace
from asgi_lab.export import write_text
from asgi_lab.export.exchanges import Exchange, address, exchanges
from asgi_lab.message import header, number, raw
from asgi_lab.plain import clean, count

Object = dict[str, Any]

IN_PATH = "/:@!$&'()*+,;=-._~"
IN_QUERY = IN_PATH + "?%"
"""Characters that a path or a query may have as they are (RFC 3986)."""

TEXT, BINARY = 1, 2
"""Opcodes of WebSocket messages (RFC 6455, section 5.2)."""


def write_har(trace: Trace, path: str | Path) -> None:
    """Write a trace as HAR; compressed, if the name ends in `.gz`.

    Raises `OSError` if the file cannot be written.
    """
    write_text(json.dumps(archive(trace), indent=1) + "\n", path)


def archive(trace: Trace) -> Object:
    """Return the archive as JSON holds it."""
    every, measures = exchanges(trace)
    every.sort(key=lambda exchange: exchange.connection.started)
    began = number(trace.header.get("started"))
    return {
        "log": {
            "version": "1.2",
            "creator": {"name": "asgi-lab", "version": __version__},
            "entries": [entry(exchange, began, measures.last) for exchange in every],
            "comment": "Times and bodies as the app saw them; credentials masked, bodies cut."
            if trace.header.get("redacted", True)
            else "Times and bodies as the app saw them; bodies cut.",
        }
    }


def entry(exchange: Exchange, began: int, last: int) -> Object:
    """Return one request with its answer."""
    c = exchange.connection
    timings = timings_of(exchange, last)
    found: Object = {
        "startedDateTime": iso(began + c.started),
        "time": round(sum(value for value in timings.values() if value > 0), 6),
        "request": request(exchange),
        "response": response(exchange),
        "cache": {},
        "timings": timings,
    }
    server, client = address(exchange.scope.get("server")), address(exchange.scope.get("client"))
    if is_address(server[0]):
        found["serverIPAddress"] = server[0]
    if client[1]:
        found["connection"] = str(client[1])
    if c.type == "websocket":
        found["_resourceType"] = "websocket"
        found["_webSocketMessages"] = websocket_messages(exchange, began)
    if words := comment(exchange):
        found["comment"] = words
    return found


def comment(exchange: Exchange) -> str:
    """Return what else is to be said: how it went, if not well."""
    c = exchange.connection
    words = [f"connection {c.conn} of the trace"]
    if c.ended is None:
        words.append("still in flight when the trace ended")
    elif c.outcome == "raised":
        words.append(f"the app raised {clean(c.error)}{f' at {clean(c.at)}' if c.at else ''}")
    elif c.outcome == "cancelled":
        words.append("the app was cancelled")
    if c.type == "websocket" and c.code:
        words.append(f"closed with {c.code}")
    return "; ".join(words)


def timings_of(exchange: Exchange, last: int) -> dict[str, float]:
    """Return how long it took, in ms; they add up to the whole time."""
    c, answered = exchange.connection, exchange.answered
    until = c.until(last)
    if exchange.body and not exchange.body[-1].data.get("more_body"):
        until = exchange.body[-1].t
    begins = answered.t if answered else until
    asked = [e.t for e in exchange.received if e.type == "http.request" and e.t <= begins]
    had = asked[-1] if asked else c.started
    unknown = dict.fromkeys(("blocked", "dns", "connect", "ssl"), -1.0)
    known = {"send": had - c.started, "wait": begins - had, "receive": max(until - begins, 0)}
    return {**unknown, **{name: ns / 1e6 for name, ns in known.items()}}


def request(exchange: Exchange) -> Object:
    """Return what was asked."""
    c, scope = exchange.connection, exchange.scope
    found: Object = {
        "method": "GET" if c.type == "websocket" else clean(c.method),
        "url": url_of(exchange),
        "httpVersion": f"HTTP/{exchange.version}" if exchange.version else "",
        "cookies": cookies(header(scope.get("headers"), "cookie").split(";")),
        "headers": headers(scope.get("headers")),
        "queryString": [
            {"name": clean(name), "value": clean(value)}
            for name, value in parse_qsl(
                str(scope.get("query_string") or ""), keep_blank_values=True, errors="replace"
            )
        ],
        "headersSize": -1,
        "bodySize": c.bytes_in if c.type == "http" else -1,
    }
    pieces = [event for event in exchange.received if event.type == "http.request"]
    if c.bytes_in and pieces:
        body, words = preview(pieces, c.bytes_in)
        kind = header(scope.get("headers"), "content-type")
        found["postData"] = {"mimeType": clean(kind), "text": body.decode("utf-8", "replace")}
        found["postData"].update({"comment": words} if words else {})
    return found


def response(exchange: Exchange) -> Object:
    """Return what was answered; status 0 if nothing was."""
    c, answered = exchange.connection, exchange.answered
    status = c.status or 0
    sent = answered.data.get("headers") if answered else None
    size = c.bytes_out if exchange.body or c.type != "websocket" else 0
    content: Object = {"size": size, "mimeType": clean(header(sent, "content-type"))}
    if size:
        body, words = preview(exchange.body, size)
        try:
            content["text"] = body.decode()
        except UnicodeDecodeError:
            content.update({"text": b64encode(body).decode(), "encoding": "base64"})
        content.update({"comment": words} if words else {})
    return {
        "status": status,
        "statusText": phrase(status),
        "httpVersion": f"HTTP/{exchange.version}" if exchange.version else "",
        "cookies": cookies(
            clean(value).partition(";")[0]
            for name, value in pairs(sent)
            if name.lower() == "set-cookie"
        ),
        "headers": headers(sent),
        "content": content,
        "redirectURL": clean(header(sent, "location")),
        "headersSize": -1,
        "bodySize": size,
    }


def preview(pieces: Iterable[Event], total: int) -> tuple[bytes, str]:
    """Return the beginning of a body, as far as all is known, and what is missing, in words."""
    body = b""
    for event in pieces:
        text = event.data.get("body")
        part = raw(text) if isinstance(text, str) else b""
        body += part
        if number(event.data.get("length")) > len(part):
            break
    if len(body) >= total:
        return body, ""
    return body, f"the first {count(len(body), 'byte')} of {total:,}: a trace keeps no more"


def websocket_messages(exchange: Exchange, began: int) -> list[Object]:
    """Return the messages of a WebSocket, from the client's point of view, as Chrome has them."""
    found = []
    for event in exchange.messages:
        way = {"websocket.receive": "send", "websocket.send": "receive"}.get(event.type)
        if way is None:
            continue
        text = event.data.get("text")
        data, opcode = (text, TEXT) if isinstance(text, str) else (event.data.get("bytes"), BINARY)
        content = raw(data) if isinstance(data, str) else b""
        message = {
            "type": way,
            "time": (began + event.t) / 1e9,
            "opcode": opcode,
            "data": content.decode("utf-8", "replace")
            if opcode == TEXT
            else b64encode(content).decode(),
        }
        if length := number(event.data.get("length")):
            unit = "character" if opcode == TEXT else "byte"
            message["comment"] = f"the beginning of {count(length, unit)}"
        found.append(message)
    return found


def url_of(exchange: Exchange) -> str:
    """Return the URL that was asked for."""
    scope = exchange.scope
    websocket = exchange.connection.type == "websocket"
    scheme = str(scope.get("scheme") or ("ws" if websocket else "http"))
    host, port = exchange.host
    path = str(scope.get("raw_path") or scope.get("path") or exchange.connection.path)
    root = str(scope.get("root_path") or "")
    if exchange.connection.type == "wsgi" or not path.startswith(root):
        path = root + path
    query = str(scope.get("query_string") or "")
    place = f"{host or 'localhost'}{f':{port}' if port else ''}"
    escaped = "%" if scope.get("raw_path") else ""
    url = f"{scheme}://{place}{quote(raw(path), safe=IN_PATH + escaped)}"
    return url + (f"?{quote(raw(query), safe=IN_QUERY)}" if query else "")


def pairs(value: object) -> list[tuple[str, str]]:
    """Return headers as pairs of texts, whatever else they may be."""
    if not isinstance(value, (list, tuple)):
        return []
    return [
        (str(item[0]), str(item[1]))
        for item in value
        if isinstance(item, (list, tuple)) and len(item) == 2
    ]


def headers(value: object) -> list[Object]:
    """Return headers as HAR holds them."""
    return [{"name": clean(name), "value": clean(item)} for name, item in pairs(value)]


def cookies(crumbs: Iterable[str]) -> list[Object]:
    """Return cookies as HAR holds them; the values are masked, as they are in the trace."""
    parts = [crumb.strip().partition("=") for crumb in crumbs if crumb.strip()]
    return [{"name": clean(name), "value": clean(value)} for name, _, value in parts]


def phrase(status: int) -> str:
    """Return what a status is called; empty if it has no name."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def is_address(host: str) -> bool:
    """Return whether a host is an IP address, and no name or path."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def iso(ns: int) -> str:
    """Return nanoseconds since 1970 as a date with microseconds: `2025-01-01T00:00:00.020000Z`."""
    seconds, rest = divmod(ns, 1_000_000_000)
    date = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000)
    return date.isoformat(timespec="microseconds").replace("+00:00", "Z")
