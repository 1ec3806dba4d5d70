"""What is kept of a scope or a message: a tuple of atoms, taken at once.

Servers reuse scopes and applications mutate messages after sending them (Starlette's gzip edits
the header list in place), so what is worth keeping is copied the moment it passes. It is copied
as *atoms* - exact `int`, `float`, `bool`, `str`, `bytes`, `None` and tuples or dicts of them -
because a reference to the live message would keep the body alive, and would be walked by the
garbage collector on every pass.

What is kept are the *facts*, in one of four shapes, told apart by their length:

    (type, pairs)                            any message: ((key, atom), ...)
    (type, status, headers)                  the start of a response
    (type, field, preview, length, more)     a body or a WebSocket message
    (type, setting, *request)                a scope: see `SETTING` and `REQUEST`

A *setting* is what all scopes of a server share: it is kept once.

Most scopes and messages are alike, and `common_scope` and `common_message` take what is worth
keeping of those without a detour; for others they return None, and `freeze_scope` and
`freeze_message` look closer. Nothing here raises: a broken message is described, not rejected.
"""

import re
from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from asgi_lab.source import is_library, place

Atom = Any  # int | float | bool | str | bytes | None | tuple[Atom, ...] | dict[str, Atom]
Facts = tuple[Any, ...]
Pairs = tuple[tuple[str, Atom], ...]

PREVIEW = 256
"""Bytes (or characters) kept of any one value."""

MAX_ITEMS = 128
MAX_DEPTH = 6

SETTING = ("http_version", "scheme", "root_path", "server", "spec_version", "extensions",
           "subprotocols")  # fmt: skip
"""What a setting holds, in order; the last two only if the scope has them."""

REQUEST = ("method", "path", "raw_path", "query_string", "headers", "client", "pid")
"""What follows the setting in the facts of a scope; `pid` is added where processes are merged."""

PAYLOAD_FIELDS = {
    "http.request": ("body",),
    "http.response.body": ("body",),
    "websocket.receive": ("text", "bytes"),
    "websocket.send": ("text", "bytes"),
}


def common_message(message: Any) -> Facts | None:
    """Return the facts of a message as nearly all are, in which there is nothing to mask yet.

    That is a payload, or the start of a response with headers known to be clean.
    """
    try:
        if type(message) is not dict or type(kind := message.get("type")) is not str:
            return None
        if kind == "http.response.start" and len(message) == 3:
            status, known = message.get("status"), known_headers(message.get("headers"))
            if known is not None and type(status) is int and 0 <= status < 1000:
                return (kind, status, known)
        for field in PAYLOAD_FIELDS.get(kind, ()):
            payload = message.get(field)
            if type(payload) is str or type(payload) is bytes:
                more = message.get("more_body") is True
                return (kind, field, payload[:PREVIEW], len(payload), more)
    except Exception:
        pass  # some odd value
    return None


def freeze_message(message: Any) -> Facts:
    """Return the facts of any message, however broken."""
    try:
        if type(message) is not dict and not isinstance(message, Mapping):
            return (None, (("value", _name(message)),))
        kind = message.get("type")
        if kind == "http.response.start" and len(message) == 3:
            status, headers = message.get("status"), message.get("headers")
            if type(status) is int and 0 <= status < 1000 and type(headers) is list:
                return (kind, status, freeze_headers(headers))
        for field in PAYLOAD_FIELDS.get(kind, ()) if type(kind) is str else ():
            payload = message.get(field)
            if isinstance(payload, (bytes, bytearray, memoryview, str)):
                return _payload(kind, field, payload, message.get("more_body"))
        rest = [(key, value) for key, value in list(message.items())[:MAX_ITEMS] if key != "type"]
        pairs = tuple((_key(key), freeze_value(key, value)) for key, value in rest)
        return (kind if type(kind) is str else atom(kind), pairs)
    except Exception as error:
        return (None, (("unreadable", type(error).__name__),))


def _payload(kind: Any, field: str, payload: Any, more: object) -> Facts:
    if isinstance(payload, memoryview):
        return (kind, field, bytes(payload.cast("B")[:PREVIEW]), payload.nbytes, more is True)
    preview = payload[:PREVIEW]
    plain = str(preview) if isinstance(payload, str) else bytes(preview)
    return (kind, field, plain, len(payload), more is True)


def common_scope(scope: Any) -> Facts | None:
    """Return the facts of a scope as nearly all requests have, in which there is nothing to mask.

    That is one without a query, with headers known to be clean, on a setting seen before.
    """
    try:
        kind, version, scheme, root_path, method, path, raw_path, query, headers, client = (
            _request_of(scope)
        )
        server, spec = scope["server"], scope["asgi"].get("spec_version")
        setting = _settings.get((kind, version, scheme, root_path, server, spec, len(scope)))
        known = known_headers(headers)
        host, port = client
        if (
            setting is None
            or known is None
            or kind != "http"
            or query
            or b"%" in raw_path
            or "=" in path
            or len(path) > PREVIEW
            or method not in METHODS
            or type(path) is not str
            or type(client) is not tuple
            or type(host) is not str
            or not (type(port) is int and 0 <= port < 65536)
            or scope.get("extensions")
        ):
            return None
        return ("http", setting, method, path, None, None, known, client)
    except Exception:
        return None  # some key is missing, which is no fault


def known_headers(headers: Any) -> Atom:
    """Return headers as they were kept before, or None if they were not, or not unchanged.

    Clients and apps repeat their headers, so those seen before are found instead of looked at.
    """
    try:
        return KNOWN_HEADERS.get(tuple(headers)) if type(headers) is list else None
    except Exception:
        return None  # unhashable: pairs that are lists, as the spec allows


KNOWN_HEADERS: dict[Atom, Atom] = {}
"""Headers seen to be short, plain and without secrets; `asgi_lab.redact` fills it."""


METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_request_of = itemgetter("type", "http_version", "scheme", "root_path", "method", "path",
                         "raw_path", "query_string", "headers", "client")  # fmt: skip


def freeze_scope(scope: Any) -> Facts:
    """Return the facts of any scope.

    Of extensions the names are kept; of `state` and of what middleware add (`app`, `user`,
    `session`), nothing.
    """
    try:
        get = scope.get
        kind, path, headers = get("type"), get("path"), get("headers")
        raw_path, query, extensions = get("raw_path"), get("query_string"), get("extensions")
        method, client = get("method"), get("client")
        if not (
            type(path) is str
            and (type(method) is str or method is None)
            and (type(raw_path) is bytes or raw_path is None)
            and (type(query) is bytes or query is None)
        ):
            return _freeze_odd_scope(scope)  # or a lifespan's
        server, spec = get("server"), scope.get("asgi", {}).get("spec_version")
        server = tuple(server) if type(server) is list else server
        plain = (get("http_version"), get("scheme"), get("root_path"), server, spec)
        key = (kind, *plain, len(scope))
        setting = _settings.get(key) or _new_setting(key)
        if extensions or kind == "websocket":
            setting = (*setting, *atom((_items(extensions), _items(get("subprotocols")))))
        return (
            kind if type(kind) is str else atom(kind),
            setting,
            method,
            path if len(path) <= PREVIEW else cut(path),
            cut(raw_path) if raw_path and b"%" in raw_path else None,
            cut(query) if query else None,
            freeze_headers(headers),
            _address(client),
        )
    except Exception:
        return _freeze_odd_scope(scope)


MAX_SETTINGS = 256
_settings: dict[Any, tuple[Any, ...]] = {}


def _new_setting(key: Any) -> tuple[Any, ...]:
    if len(_settings) >= MAX_SETTINGS:
        _settings.clear()
    setting: tuple[Any, ...] = atom((*key[1:4], _items(key[4]), key[5]))
    _settings[key] = setting
    return setting


def _freeze_odd_scope(scope: Any) -> Facts:
    try:
        kept = {*SETTING, *REQUEST}
        pairs = tuple((key, freeze_value(key, scope[key])) for key in scope if key in kept)
        return (atom(scope.get("type")), pairs)
    except Exception as error:
        return (None, (("unreadable", type(error).__name__),))


def freeze_headers(headers: Any) -> Atom:
    """Return headers as a tuple of pairs; an iterator is named, because reading it would eat it."""
    if type(headers) is not list and not isinstance(headers, (list, tuple)):
        return () if headers is None else _name(headers)
    pairs = headers[:MAX_ITEMS]
    return tuple([pair if type(pair) is tuple else _freeze_pair(pair) for pair in pairs])


def _freeze_pair(pair: Any) -> Atom:
    return tuple(pair) if isinstance(pair, (list, tuple)) else atom(pair)


def _address(client: Any) -> Atom:
    if type(client) in (tuple, list) and len(client) == 2:
        host, port = client
        if type(host) is str and type(port) is int and 0 <= port < 65536:
            return (host, port)
    return () if client is None else atom(client)


def _items(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (list, tuple, dict)) else ()


def freeze_value(key: object, value: object) -> Atom:
    """Return one value of a message as an atom."""
    return freeze_headers(value) if key == "headers" else atom(value)


def freeze_error(error: BaseException) -> Pairs:
    """Return an exception's name, its text and the line of the app that raised it."""
    try:
        text = ADDRESS.sub(" at 0x…", cut(str(error)))
    except Exception:
        text = ""
    facts = (("error", type(error).__qualname__), ("message", text), ("at", raised_at(error)))
    return (*facts, ("mounted", True)) if mounted(error) else facts


ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
"""Where an object lay in memory: it tells nobody anything, and differs from run to run."""


def raised_at(error: BaseException) -> str:
    """Return `file:line in function` of the innermost frame in the user's own code, if any.

    Of a group of one, as a task group raises it, the place is that one's.
    """
    found = ""
    group = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    if len(group) == 1 and (within := raised_at(group[0])):
        return within
    traceback = error.__traceback__
    while traceback is not None:
        frame = traceback.tb_frame
        if not is_library(frame.f_code.co_filename):
            found = place(frame, traceback.tb_lineno)
        traceback = traceback.tb_next
    return found


def mounted(error: BaseException) -> bool:
    """Return whether it was raised in an app that Starlette (or FastAPI) has mounted in another."""
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_qualname == "Mount.handle":
            return True
        traceback = traceback.tb_next
    return False


def atom(value: Any, depth: int = 0) -> Atom:
    """Return a deep, bounded copy of `value` made of atoms only; others are named by type."""
    kind = type(value)
    if value is None or kind is bool:
        return value
    if issubclass(kind, int):
        return int(value) if -(2**63) <= value < 2**64 else f"<int of {value.bit_length()} bits>"
    if issubclass(kind, float):
        return float(value) if value - value == 0 else repr(float(value))
    if issubclass(kind, str):
        return cut(str.__str__(value))
    if issubclass(kind, (bytes, bytearray)):
        return cut(bytes(value[: PREVIEW + 1]))
    if depth < MAX_DEPTH and issubclass(kind, (list, tuple)):
        return tuple(atom(item, depth + 1) for item in value[:MAX_ITEMS])
    if depth < MAX_DEPTH and issubclass(kind, dict):
        items = list(value.items())[:MAX_ITEMS]
        return {_key(key): atom(item, depth + 1) for key, item in items}
    return _name(value)


def cut(value: Any) -> Any:
    """Return a `str` or `bytes` of at most `PREVIEW` items, with an ellipsis where it was cut."""
    if len(value) <= PREVIEW:
        return value
    return value[:PREVIEW] + ("…" if isinstance(value, str) else b"...")


def _key(key: object) -> str:
    return cut(key) if type(key) is str else _name(key)


def _name(value: object) -> str:
    return f"<{type(value).__name__}>"
