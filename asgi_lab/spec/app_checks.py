"""What messages of an app must hold: a small function a rule. Their order is in `states`."""

import io
import os
from collections.abc import Iterable, Mapping
from typing import Any

from asgi_lab.spec.case import Case, check
from asgi_lab.spec.machine import SEND
from asgi_lab.spec.values import (
    LISTS,
    capitals,
    foreign,
    kind,
    length,
    lengths,
    malformed,
    not_pairs,
    pairs,
    pseudo,
    shown,
)

STARTS = ("http.response.start", "websocket.http.response.start")
BODIES = ("http.response.body", "websocket.http.response.body")
HEADED = (*STARTS, "http.response.trailers", "http.response.push")
FAILED = ("lifespan.startup.failed", "lifespan.shutdown.failed")

Message = Mapping[str, Any]

# --- the start of a response ---------------------------------------------------------------------


@check("H3", SEND, *STARTS)
def status_is_an_int(case: Case, message: Message) -> str:
    """Say whether the status is missing or no int."""
    if "status" not in message:
        return "there is no status"
    status = message["status"]
    fine = isinstance(status, int) and not isinstance(status, bool)
    return "" if fine else f"the status is {kind(status)}: {status!r:.40}"


@check("H4", SEND, *STARTS)
def status_is_final(case: Case, message: Message) -> str:
    """Say whether the status is out of range."""
    status = message.get("status")
    if not isinstance(status, int) or isinstance(status, bool) or 200 <= status <= 999:
        return ""
    return f"the status is {status}"


def is_interim(kind: str, message: Message) -> bool:
    """Return whether this is a response of 1xx: another, the final one, has to follow (H4)."""
    status = message.get("status")
    return kind in STARTS and isinstance(status, int) and 100 <= status <= 199


def headers_of(message: Message) -> Any:
    """Return the headers; missing ones are none."""
    return message.get("headers", ())


for _rule, _wrong in (("H5", not_pairs), ("H6", capitals), ("H7", pseudo), ("H8", malformed)):

    @check(_rule, SEND, *HEADED)
    def headers_are_right(case: Case, message: Message, wrong: Any = _wrong) -> str:
        """Say what is wrong with headers, in this respect."""
        return str(wrong(headers_of(message)))


@check("H9", SEND, *STARTS)
def no_transfer_encoding(case: Case, message: Message) -> str:
    """Say whether the app frames the response itself."""
    names = {name.lower() for name, _ in pairs(headers_of(message))}
    return "there is a header transfer-encoding" if b"transfer-encoding" in names else ""


@check("H11", SEND, "http.response.start")
def trailers_is_a_bool(case: Case, message: Message) -> str:
    """Say whether `trailers` is no bool."""
    return not_bool(message, "trailers")


@check("H16", SEND, *STARTS)
def one_content_length(case: Case, message: Message) -> str:
    """Say whether content-length is no number, or there are several."""
    headers = headers_of(message)
    found = lengths(headers)
    if len(found) > 1:
        return f"there are {len(found)} content-length headers"
    return f"content-length is {shown(found[0])}" if found and length(headers) is None else ""


# --- its body ------------------------------------------------------------------------------------


def not_bool(message: Message, key: str) -> str:
    """Say whether a value is there, and no bool."""
    value = message.get(key, False)
    return "" if isinstance(value, bool) else f"{key} is {kind(value)}"


@check("H11", SEND, *BODIES)
def body_is_bytes(case: Case, message: Message) -> str:
    """Say whether the body is no bytes, or `more_body` no bool."""
    body = message.get("body", b"")
    return not_bool(message, "more_body") if isinstance(body, bytes) else f"body is {kind(body)}"


@check("H11", SEND, "http.response.zerocopysend")
def more_body_is_a_bool(case: Case, message: Message) -> str:
    """Say whether `more_body` is no bool."""
    return not_bool(message, "more_body")


@check("H16", SEND, *BODIES)
def as_long_as_declared(case: Case, message: Message) -> str:
    """Say whether more bytes were sent than declared, or the last of them are missing."""
    body = message.get("body", b"")
    if (
        case.progress.declared is None
        or case.request.method == "HEAD"
        or not isinstance(body, bytes)
        or case.stands not in ("started", "streaming", "denying")
        or case.progress.status in (204, 304)
    ):
        return ""
    sent = case.progress.sent + len(body)
    if sent > case.progress.declared >= case.progress.sent:
        return f"content-length is {case.progress.declared}, and {sent} bytes were sent"
    if not message.get("more_body") and sent < case.progress.declared:
        return f"content-length is {case.progress.declared}, and only {sent} bytes were sent"
    return ""


@check("H17", SEND, *BODIES)
def no_body_where_none_may_be(case: Case, message: Message) -> str:
    """Say whether a response that cannot have a body has one."""
    if case.progress.status in (204, 304) and message.get("body"):
        return f"a response with status {case.progress.status} has a body"
    return ""


@check("H18", SEND, "http.response.trailers")
def more_trailers_is_a_bool(case: Case, message: Message) -> str:
    """Say whether `more_trailers` is no bool."""
    return not_bool(message, "more_trailers")


@check("X2", SEND, "http.response.debug")
def debug_once(case: Case, message: Message) -> str:
    """Say whether debug is sent again, or without a dict."""
    if case.progress.debugged:
        return "http.response.debug was sent twice"
    return "" if isinstance(message.get("info"), dict) else f"info is {kind(message.get('info'))}"


@check("X2", SEND, "http.response.push", "http.response.pathsend")
def path_is_a_str(case: Case, message: Message) -> str:
    """Say whether there is no path, or a file's is not absolute."""
    path = message.get("path")
    if not isinstance(path, str):
        return f"path is {kind(path)}" if "path" in message else "there is no path"
    pushed = message["type"] == "http.response.push"
    return "" if pushed or os.path.isabs(path) else "path is not absolute"


@check("X2", SEND, "http.response.early_hint")
def links_are_bytes(case: Case, message: Message) -> str:
    """Say whether the links are no iterable of bytes."""
    links = message.get("links")
    if isinstance(links, (str, bytes, dict)) or not isinstance(links, Iterable):
        return f"links are {kind(links)}"
    wrong = [link for link in links if not isinstance(link, bytes)] if type(links) in LISTS else []
    return f"a link is {kind(wrong[0])}" if wrong else ""


@check("X2", SEND, "http.response.zerocopysend")
def file_has_a_descriptor(case: Case, message: Message) -> str:
    """Say whether the file is none that the operating system knows."""
    file = message.get("file")
    wrong = file is None or isinstance(file, (bool, str, bytes, io.BytesIO, io.StringIO))
    return f"file is {kind(file)}" if wrong else ""


# --- WebSocket -----------------------------------------------------------------------------------


@check("W5", SEND, "websocket.send")
def text_or_bytes(case: Case, message: Message) -> str:
    """Say whether there is not exactly one of the two, or it is of the wrong type."""
    text, data = message.get("text"), message.get("bytes")
    if text is None and data is None:
        return "there is neither text nor bytes"
    if text is not None and data is not None:
        return "there are both text and bytes"
    if text is not None and not isinstance(text, str):
        return f"text is {kind(text)}"
    return "" if data is None or isinstance(data, bytes) else f"bytes is {kind(data)}"


@check("W6", SEND, "websocket.accept")
def subprotocol_is_offered(case: Case, message: Message) -> str:
    """Say whether the subprotocol is not one that the client offers."""
    chosen = message.get("subprotocol")
    offers = case.request.subprotocols
    if chosen is None or (isinstance(chosen, str) and (offers is None or chosen in offers)):
        return ""
    if not isinstance(chosen, str):
        return f"subprotocol is {kind(chosen)}"
    offered = ", ".join(map(str, offers or ())) or "none"
    return f"subprotocol is {shown(chosen)}; offered: {offered}"


@check("W7", SEND, "websocket.accept")
def headers_of_accept(case: Case, message: Message) -> str:
    """Say what is wrong with the headers of the handshake's answer."""
    headers = headers_of(message)
    for wrong in (not_pairs, capitals, pseudo, malformed):
        if found := wrong(headers):
            return found
    if any(name.lower() == b"sec-websocket-protocol" for name, _ in pairs(headers)):
        return "there is a header sec-websocket-protocol"
    if pairs(headers) and case.request.version and case.request.version < (2, 1):
        return f"there are headers, and the server's spec version is {_version(case)}"
    return ""


@check("W8", SEND, "websocket.close")
def code_and_reason(case: Case, message: Message) -> str:
    """Say whether the code cannot be sent, or the reason is none."""
    code, reason = message.get("code", 1000), message.get("reason")
    if not isinstance(code, int) or isinstance(code, bool):
        return f"code is {kind(code)}"
    if not (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999):
        return f"code is {code}"
    if reason is None:
        return ""
    if not isinstance(reason, str):
        return f"reason is {kind(reason)}"
    size = len(reason.encode("utf-8", "surrogatepass"))
    if size > 123:
        return f"reason has {size} bytes"
    if reason and case.request.version and case.request.version < (2, 3):
        return f"there is a reason, and the server's spec version is {_version(case)}"
    return ""


def _version(case: Case) -> str:
    return ".".join(map(str, case.request.version))


# --- lifespan, and all ---------------------------------------------------------------------------


@check("L8", SEND, *FAILED)
def message_is_a_str(case: Case, message: Message) -> str:
    """Say whether `message` is no str."""
    text = message.get("message", "")
    return "" if isinstance(text, str) else f"message is {kind(text)}"


LOOKED_AT = {
    "status", "headers", "body", "more_body", "trailers", "more_trailers", "text", "bytes",
    "subprotocol", "code", "reason", "message", "type", "file", "info", "path", "links",
}  # fmt: skip
"""Keys with a rule of their own; extensions allow a `file`, and any `info`."""


def only_plain_values(message: Message) -> str:
    """Say which value could not be sent over a network (G3)."""
    for key, value in message.items():
        if not isinstance(key, str):
            return f"a key of the message is {kind(key)}"
        if key not in LOOKED_AT and (wrong := foreign(value)):
            return f"{key} is {wrong}" if wrong == kind(value) else f"{key} holds {wrong}"
    return ""
