"""What a scope and the messages of a server must hold: a small function a rule."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from asgi_lab.spec.case import Case, Finding, check
from asgi_lab.spec.machine import RECEIVE
from asgi_lab.spec.values import TOKEN, kind, lengths, malformed, not_pairs, pairs, pseudo, shown

Scope = Mapping[str, Any]
ScopeCheck = Callable[[Scope], str]

SCOPE_CHECKS: list[tuple[str, tuple[str, ...], ScopeCheck]] = []
"""The rule's id, the types of scope it is about, and the check."""

BOTH = ("http", "websocket")
ALL = (*BOTH, "lifespan")
CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})(?:;[^\r\n]*)?\r\n")


def of_scope(rule: str, *types: str) -> Callable[[ScopeCheck], ScopeCheck]:
    """Register what a rule asks of scopes of these types."""

    def register(function: ScopeCheck) -> ScopeCheck:
        SCOPE_CHECKS.append((rule, types, function))
        return function

    return register


def scope_findings(scope: Any) -> list[Finding]:
    """Return what is wrong with a scope."""
    if not isinstance(scope, dict):
        return [Finding("S1", f"the scope is {kind(scope)}")]
    if not isinstance(scope.get("type"), str):
        return [Finding("S1", f"the scope's type is {kind(scope.get('type'))}")]
    found = [
        Finding(rule, what)
        for rule, types, wrong in SCOPE_CHECKS
        if scope["type"] in types and (what := wrong(scope))
    ]
    keys = [key for key in scope if not isinstance(key, str)]
    return found + [Finding("S13", f"a key of the scope is {kind(key)}") for key in keys[:1]]


def _not(scope: Scope, key: str, wanted: type, optional: bool = True) -> str:
    """Say whether a value is there, and not of this type."""
    if key not in scope:
        return "" if optional else f"there is no {key}"
    value = scope[key]
    return "" if isinstance(value, wanted) else f"{key} is {kind(value)}"


@of_scope("S1", *ALL)
def versions_are_texts(scope: Scope) -> str:
    """Say whether what names the versions is no str."""
    if wrong := _not(scope, "asgi", dict):
        return wrong
    if "asgi" not in scope:
        return ""  # test clients leave it out, and nobody misses it
    asgi = scope["asgi"]
    if "version" not in asgi:
        return "asgi has no version"
    return _not(asgi, "version", str) or _not(asgi, "spec_version", str)


@of_scope("S2", "http")
def http_version(scope: Scope) -> str:
    """Say whether the version is none of HTTP's."""
    if wrong := _not(scope, "http_version", str, optional=False):
        return wrong
    version = scope["http_version"]
    return "" if version in ("1.0", "1.1", "2", "3") else f"http_version is {shown(version)}"


@of_scope("S3", "http")
def method(scope: Scope) -> str:
    """Say whether the method is no uppercase str."""
    if wrong := _not(scope, "method", str, optional=False):
        return wrong
    return "" if scope["method"].isupper() else f"method is {shown(scope['method'])}"


@of_scope("S4", *BOTH)
def scheme(scope: Scope) -> str:
    """Say whether the scheme is empty or no str."""
    return _not(scope, "scheme", str) or ("scheme is empty" if scope.get("scheme") == "" else "")


@of_scope("S5", *BOTH)
def path(scope: Scope) -> str:
    """Say whether the path is not decoded, or more than a path."""
    if wrong := _not(scope, "path", str, optional=False):
        return wrong
    given, raw, query = scope["path"], scope.get("raw_path"), scope.get("query_string")
    if re.match(r"(?i)[a-z][a-z0-9+.-]*://", given):
        return "path is a whole URL"
    decoded = unquote_to_bytes(raw) if isinstance(raw, bytes) else None
    plain = given.encode("utf-8", "surrogatepass")
    if isinstance(query, bytes) and query and given.endswith("?" + query.decode("latin-1")):
        return "" if decoded == plain else "path holds the query"
    if decoded is None or decoded == raw:
        return ""
    if plain == raw:
        return "path is not decoded"
    same = decoded != plain and decoded == given.encode("latin-1", "replace")
    return "path is decoded as Latin-1, not as UTF-8" if same and is_utf8(decoded) else ""


def is_utf8(data: bytes) -> bool:
    """Return whether bytes can be read as UTF-8."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


@of_scope("S6", *BOTH)
def raw_path(scope: Scope) -> str:
    """Say whether raw_path is no bytes, or holds the query."""
    raw = scope.get("raw_path")
    if raw is None:
        return ""
    if not isinstance(raw, bytes):
        return f"raw_path is {kind(raw)}"
    if b"?" in raw:
        return "raw_path holds the query"
    return "raw_path is decoded: it has a space" if b" " in raw else ""


@of_scope("S7", *BOTH)
def query_string(scope: Scope) -> str:
    """Say whether the query is no bytes, or decoded."""
    query = scope.get("query_string")
    if query is None and scope["type"] == "websocket":
        return ""
    if not isinstance(query, bytes):
        return "there is no query_string" if query is None else f"query_string is {kind(query)}"
    return "query_string is decoded: it has a space" if b" " in query else ""


@of_scope("S8", *BOTH)
def root_path(scope: Scope) -> str:
    """Say whether root_path is no str."""
    return _not(scope, "root_path", str)


@of_scope("S9", *BOTH)
def headers(scope: Scope) -> str:
    """Say whether headers are no pairs of bytes, or have pseudo headers."""
    if "headers" not in scope:
        return "there are no headers"
    return not_pairs(scope["headers"]) or pseudo(scope["headers"])


@of_scope("S10", *BOTH)
def addresses(scope: Scope) -> str:
    """Say whether client or server is no address."""
    for key in ("client", "server"):
        given = scope.get(key)
        if given is None:
            continue
        if isinstance(given, (str, bytes, dict)) or not isinstance(given, Iterable):
            return f"{key} is {kind(given)}"
        if not isinstance(given, (list, tuple)):
            continue  # a look would use it up
        if len(given) != 2:
            return f"{key} has {len(given)} items"
        host, port = given
        if not isinstance(host, str):
            return f"the host of {key} is {kind(host)}"
        number = isinstance(port, int) and not isinstance(port, bool)
        if not (number or (port is None and key == "server")):
            return f"the port of {key} is {kind(port)}"
    return ""


@of_scope("S11", *BOTH)
def extensions(scope: Scope) -> str:
    """Say whether extensions are no dicts, or tls is there without TLS or incomplete."""
    offered = scope.get("extensions")
    if offered is None:
        return ""
    if not isinstance(offered, dict):
        return f"extensions is {kind(offered)}"
    for name, value in offered.items():
        if not isinstance(name, str):
            return f"the name of an extension is {kind(name)}"
        if not isinstance(value, dict):
            return f"the extension {name} is {kind(value)}"
    if "tls" not in offered:
        return ""
    if scope.get("scheme") in ("http", "ws"):
        return f"there is tls, and the scheme is {scope['scheme']}"
    needed = ("server_cert", "tls_version", "cipher_suite")
    tls = offered["tls"]
    missing = [key for key in needed if key not in tls]
    if missing:
        return f"tls has no {missing[0]}"
    for key, wanted in zip(needed, (str, int, int), strict=True):
        if tls[key] is not None and not isinstance(tls[key], wanted):
            return f"{key} of tls is {kind(tls[key])}"
    return ""


@of_scope("S12", *ALL)
def state(scope: Scope) -> str:
    """Say whether the state is no dict."""
    given = scope.get("state")
    return "" if given is None or isinstance(given, Mapping) else f"state is {kind(given)}"


@of_scope("W-S1", "websocket")
def socket_scope(scope: Scope) -> str:
    """Say whether scheme, subprotocols or version are not a WebSocket's."""
    scheme, version = scope.get("scheme"), scope.get("http_version")
    if isinstance(scheme, str) and scheme not in ("", "ws", "wss"):
        return f"scheme is {scheme}"
    if version is not None and version not in ("1.1", "2", "3"):
        return f"http_version is {version!r}"
    offered = scope.get("subprotocols", ())
    if isinstance(offered, (str, bytes, dict)) or not isinstance(offered, Iterable):
        return f"subprotocols is {kind(offered)}"
    if not isinstance(offered, (list, tuple)):
        return ""  # a look would use it up
    wrong = [item for item in offered if not isinstance(item, str)]
    return f"a subprotocol is {kind(wrong[0])}" if wrong else ""


@of_scope("R9", *BOTH)
def well_formed(scope: Scope) -> str:
    """Say whether a request came through that should have been answered with 400."""
    verb, given = scope.get("method"), scope.get("headers")
    if isinstance(verb, str) and verb and not TOKEN.fullmatch(verb.encode("utf-8", "replace")):
        return f"method is {shown(verb)}"
    if wrong := malformed(given):
        return wrong
    hosts = [name for name, _ in pairs(given) if name.lower() == b"host"]
    if len(hosts) > 1 and scope.get("http_version") in ("1.0", "1.1"):
        return f"there are {len(hosts)} host headers"
    found = set(lengths(given))
    if len(found) > 1:
        return "there are several content-length headers, and they differ"
    return "content-length is no number" if found and not found.pop().isdigit() else ""


# --- what receive() delivers ---------------------------------------------------------------------


def size(message: Mapping[str, Any]) -> int:
    """Return how many bytes of a body a message brings."""
    body = message.get("body", b"")
    return len(body) if isinstance(body, (bytes, bytearray, memoryview)) else 0


@check("R1", RECEIVE, "http.request")
def request_is_bytes(case: Case, message: Mapping[str, Any]) -> str:
    """Say whether body or more_body are of the wrong type."""
    body, more = message.get("body", b""), message.get("more_body", False)
    if not isinstance(body, bytes):
        return f"body is {kind(body)}"
    return "" if isinstance(more, bool) else f"more_body is {kind(more)}"


@check("R2", RECEIVE, "http.request")
def not_more_than_declared(case: Case, message: Mapping[str, Any]) -> str:
    """Say whether more comes than the client said, or the lines between chunks, too."""
    body = message.get("body", b"")
    if case.request.chunked and case.progress.got == 0 and isinstance(body, bytes):
        return "the body begins with the size of a chunk" if is_chunk(body) else ""
    got = case.progress.got + size(message)
    if case.request.wants is not None and got > case.request.wants >= case.progress.got:
        return f"the request's content-length is {case.request.wants}, and {got} bytes came"
    return ""


def is_chunk(body: bytes) -> bool:
    """Return whether bytes begin with a whole chunk as it is on the wire (RFC 9112 7.1)."""
    found = CHUNK.match(body)
    if found is None:
        return False
    end = found.end() + int(found[1], 16)
    return body[end : end + 2] == b"\r\n"


@check("R5", RECEIVE, "http.request")
def not_less_than_declared(case: Case, message: Mapping[str, Any]) -> str:
    """Say whether the body ends before all has come."""
    got = case.progress.got + size(message)
    if case.request.wants is not None and not message.get("more_body") and got < case.request.wants:
        return f"the request's content-length is {case.request.wants}, and only {got} bytes came"
    return ""


@check("W-R2", RECEIVE, "websocket.receive")
def received_text_or_bytes(case: Case, message: Mapping[str, Any]) -> str:
    """Say whether there is not exactly one of the two, or it is of the wrong type."""
    text, data = message.get("text"), message.get("bytes")
    if (text is None) is (data is None):
        return f"there {'is neither text nor' if text is None else 'are both text and'} bytes"
    if text is not None and not isinstance(text, str):
        return f"text is {kind(text)}"
    return "" if data is None or isinstance(data, bytes) else f"bytes is {kind(data)}"


@check("W-R4", RECEIVE, "websocket.disconnect")
def code_and_reason(case: Case, message: Mapping[str, Any]) -> str:
    """Say whether the code is no int, or the reason no str."""
    code, reason = message.get("code"), message.get("reason")
    if not isinstance(code, int) or isinstance(code, bool):
        return "there is no code" if "code" not in message else f"code is {kind(code)}"
    return "" if reason is None or isinstance(reason, str) else f"reason is {kind(reason)}"
