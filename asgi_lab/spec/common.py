"""The short way: scopes and messages as nearly all are, of which nothing can be said.

Each function returns what is known after, as the step does, or None for what needs a closer look.
A property of the tests: whatever the short way lets pass, the long way finds nothing in.
"""

import re
from functools import lru_cache
from operator import itemgetter
from typing import Any

from asgi_lab.spec.case import Case, Marks, Progress, Request, read_version
from asgi_lab.spec.machine import ASK, RECEIVE, RETURN, SEND
from asgi_lab.spec.walk import Standing, begin, go

PLAIN_NAME = re.compile(rb"[a-z0-9_.-]+").fullmatch
PLAIN_VALUE = re.compile(rb"[^\r\n\0]*").fullmatch
STREAMING = (("coming", "streaming"), ("whole", "streaming"))
NOTHING: dict[str, Any] = {}
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))

_FRESH = begin("http")
_new: Any = tuple.__new__  # half of what NamedTuple's own takes

_request_of = itemgetter("http_version", "scheme", "method", "path", "raw_path", "query_string",
                         "root_path", "headers", "client", "server", "asgi")  # fmt: skip


def opened(scope: Any) -> Case | None:
    """Take an HTTP scope as servers give it."""
    try:
        if type(scope) is not dict or scope["type"] != "http":
            return None
        version, scheme, method, path, raw, query, root, headers, client, server, asgi = (
            _request_of(scope)
        )
        host, port = client
        spec = asgi.get("spec_version")
        known = _setting(version, scheme, root, server, asgi["version"], spec, *scope)
        if (
            known is None
            or method not in METHODS
            or type(path) is not str
            or path[:1] != "/"
            or type(raw) is not bytes
            or b"?" in raw
            or b"%" in raw
            or b" " in raw
            or query != b""
            or type(query) is not bytes
            or type(host) is not str
            or type(port) is not int
            or type(headers) is not list
            or scope.get("extensions")
            or type(scope.get("state", NOTHING)) is not dict
        ):
            return None
        found = known_headers(headers)
        if found is None or found[1]:
            return None
        return _begun(method, known, found[0])
    except Exception:
        return None  # some key is missing, or of another shape


@lru_cache(64)
def _setting(*values: Any) -> tuple[int, ...] | None:
    """Return the spec version, if all that a server says of itself is right, and all keys are."""
    version, scheme, root, server, asgi, spec, *keys = values
    host, port = server
    fine = (
        version in ("1.0", "1.1", "2")
        and scheme in ("http", "https")
        and type(version) is type(scheme) is type(root) is type(host) is type(asgi) is str
        and (type(port) is int or port is None)
        and (type(spec) is str or spec is None)
        and all(type(key) is str for key in keys)
    )
    return read_version(spec) if fine else None


@lru_cache(256)
def _begun(method: str, version: tuple[int, ...], wants: int | None) -> Case:
    return Case(_FRESH, Request("http", method, version, wants=wants))


def known_headers(headers: Any) -> tuple[int | None, bool] | None:
    """Return content-length, and whether there is a transfer-encoding, of headers that are right.

    Clients and apps repeat their headers, so those seen before are found instead of looked at.
    """
    try:
        return _looked_at(tuple(headers))
    except TypeError:  # pairs that are lists, as the spec allows
        return None


@lru_cache(256)
def _looked_at(headers: tuple[Any, ...]) -> tuple[int | None, bool] | None:
    length: int | None = None
    chunked = hosts = False
    for pair in headers:
        if type(pair) is not tuple or len(pair) != 2:
            return None
        name, value = pair
        if type(name) is not bytes or type(value) is not bytes:
            return None
        if PLAIN_NAME(name) is None or PLAIN_VALUE(value) is None:
            return None
        if name == b"content-length":
            if length is not None or not value.isdigit():
                return None
            length = int(value)
        elif name == b"host":
            if hosts:
                return None
            hosts = True
        elif name == b"transfer-encoding":
            chunked = True
    return length, chunked


@lru_cache(1024)
def _moved(standing: Standing, verb: str, kind: str, more: bool) -> Standing | None:
    """Return where a message leads, if it may come."""
    if verb == SEND and "gone" in standing.at:
        return None
    after, step = go(standing, verb, kind, {"more_body": more})
    return None if step.after is None else after


def sent(case: Case, message: Any) -> Case | None:
    """Take a message of the app."""
    try:
        if type(message) is not dict:
            return None
        kind, (standing, request, progress, marks) = message.get("type"), case
        if standing is None:
            return None
        if kind == "http.response.body":
            if (
                progress.declared is None
                and standing.at in STREAMING
                and len(message) == 3
                and message.get("more_body") is True
                and type(message.get("body")) is bytes
                and progress.status not in (204, 304)
            ):
                return case
            return _body(standing, request, progress, marks, message)
        if kind == "http.response.start" and len(message) == 3:
            status, headers = message["status"], message["headers"]
            if type(status) is not int or not 200 <= status <= 999 or type(headers) is not list:
                return None
            found = known_headers(headers)
            after = _moved(standing, SEND, "http.response.start", False)
            if found is None or found[1] or after is None:
                return None
            progress = _new(Progress, (progress.got, status, found[0], 0, progress.debugged))
            return _new(Case, (after, request, progress, marks))  # type: ignore[no-any-return]
        if kind == "websocket.send" and len(message) == 2:
            data = message.get("text", message.get("bytes"))
            fine = type(data) is (str if "text" in message else bytes)
            return case if fine and standing.at == ("open",) else None
        return None
    except Exception:
        return None


def _body(
    standing: Standing, request: Request, progress: Progress, marks: Marks, message: Any
) -> Case | None:
    body, more = message.get("body", b""), message.get("more_body", False)
    keys = 1 + ("body" in message) + ("more_body" in message)
    if type(body) is not bytes or type(more) is not bool or len(message) != keys:
        return None
    after = _moved(standing, SEND, "http.response.body", more)
    if after is None or progress.status in (204, 304):
        return None
    declared = progress.declared
    if declared is not None and request.method != "HEAD":
        sent = progress.sent + len(body)
        if sent > declared or (sent < declared and not more):
            return None
        progress = _new(Progress, (progress.got, progress.status, declared, sent, False))
    elif after is standing:
        return _new(Case, (standing, request, progress, marks))  # type: ignore[no-any-return]
    return _new(Case, (after, request, progress, marks))  # type: ignore[no-any-return]


def asked(case: Case) -> Case | None:
    """Take the app's call of receive()."""
    standing = case.standing
    if standing is None or not {"gone", "over", "starting"}.isdisjoint(standing.at):
        return None
    if standing.asked:
        return case
    after = _asked(standing)
    return _new(Case, (after, *case[1:]))  # type: ignore[no-any-return]


@lru_cache(256)
def _asked(standing: Standing) -> Standing:
    return go(standing, ASK, "", {})[0]


def returned(case: Case) -> Case | None:
    """Take the return of the app."""
    standing = case.standing
    after = None if standing is None else _over(standing)
    return None if after is None else _new(Case, (after, *case[1:]))


@lru_cache(256)
def _over(standing: Standing) -> Standing | None:
    after, step = go(standing, RETURN, "", {})
    return None if step.after is None else after


def received(case: Case, message: Any) -> Case | None:
    """Take a message for the app."""
    try:
        kind, (standing, request, progress, marks) = message.get("type"), case
        if type(message) is not dict or standing is None:
            return None
        if kind == "http.request":
            body, more = message.get("body", b""), message.get("more_body", False)
            keys = 1 + ("body" in message) + ("more_body" in message)
            after = _moved(standing, RECEIVE, "http.request", more)
            if (
                type(body) is not bytes
                or type(more) is not bool
                or len(message) != keys
                or after is None
                or request.wants is not None
                or request.chunked
            ):
                return None
            return _new(Case, (after, request, progress, marks))  # type: ignore[no-any-return]
        if kind == "websocket.receive" and standing.at == ("open",):
            text, data = message.get("text"), message.get("bytes")
            keys = 1 + ("text" in message) + ("bytes" in message)
            fine = (type(text) is str) + (type(data) is bytes) == 1 and None in (text, data)
            return case if fine and len(message) == keys else None
        return None
    except Exception:
        return None
