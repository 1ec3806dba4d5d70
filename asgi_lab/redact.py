"""Secrets never leave this process: they are masked before anything is kept.

Headers, queries and errors are masked as they are noted, and payloads as the ring is drained, so
before anything is stored, shown or written. Masked are, by default: credentials and cookies in
headers, and the values of secret-sounding keys (`token`, `password`, `apiKey` ...) in query
strings, headers, bodies, WebSocket messages and error texts. Cookie names and the scheme of an
`Authorization` header stay: they are what one debugs with, and no secret.
"""

import re
from typing import Any
from urllib.parse import unquote

from asgi_lab.atoms import KNOWN_HEADERS, PREVIEW, Atom, Facts, Pairs, atom, cut

MASK = "[redacted]"

PAYLOADS = (9, 10)
"""Lengths of records that end in a payload: the facts `(type, field, preview, length, more)`."""

SECRET_WORDS = frozenset(
    {"pass", "passwd", "password", "passphrase", "passcode", "pwd", "pin", "otp", "secret", "token",
     "apikey", "auth", "authorization", "credential", "credentials", "jwt", "bearer", "session",
     "sessionid", "sessid", "sid", "sig", "signature", "csrf", "xsrf"}
)  # fmt: skip
SECRET_ENDINGS = ("password", "passwd", "passphrase", "secret", "token", "apikey", "sessionid")
SECRET_KEYS = frozenset({"api", "access", "private", "secret", "signing", "encryption"})
"""Words that make a following `key` a secret: `api_key`, `private-key`."""

_HINTS = ("pass", "pwd", "pin", "otp", "secret", "token", "key", "auth", "cred", "jwt", "sess",
          "bearer", "basic", "sid", "sig", "csrf", "xsrf", "code", "://")  # fmt: skip
_SCHEMES = ("bearer", "basic")
"""The only hints that need no `=` or `:` after them."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_ASSIGNED = re.compile(
    r"(?P<head>(?:^|(?<=[?&;\s,{(]))(?P<key>[\w.%\[\]-]+)=)(?P<value>[^&;\s\"',)]+)"
)
_MEMBER = re.compile(
    r"(?P<head>\\?[\"'](?P<key>[\w. -]+)\\?[\"']\s*:\s*)"
    r"(?P<value>\\?\"(?:[^\"\\]|\\(?!\"|$)|\\\")*?(?:\"|$)|'[^']*(?:'|$)|-?[\d.]+|\[[^\]]*(?:\]|$))"
)
_FORM_PART = re.compile(
    r"(?P<head>name=\"(?P<key>[^\"\r\n]+)\"[^\n]*\n(?:[^\r\n]+\r?\n)*\r?\n)(?P<value>[^\r\n]+)"
)
_CREDENTIALS = re.compile(r"(?i)(?P<head>\b(?:bearer|basic)\s+)(?!realm=)(?P<value>[\w.~+/=-]{6,})")
_USERINFO = re.compile(r"(?P<head>://)(?P<value>[^/@\s?#]+)(?=@)")


def is_secret(key: str) -> bool:
    """Return whether a key's name says that its value is a secret.

    >>> [is_secret(key) for key in ("accessToken", "api_key", "csrftoken", "author", "max_tokens")]
    [True, True, True, False, False]
    """
    words = [word.lower() for word in _WORD.findall(unquote(key))]
    if words == ["code"]:  # an OAuth authorization code
        return True
    return any(
        word in SECRET_WORDS
        or word.endswith(SECRET_ENDINGS)
        or (word == "key" and before in SECRET_KEYS)
        for before, word in zip(["", *words], words, strict=False)
    )


def mask_text(text: str) -> str:
    """Return `text` with the values of secret-sounding keys masked."""
    if not _hinted(text.lower()):
        return text
    for pattern in (_ASSIGNED, _MEMBER, _FORM_PART):
        text = pattern.sub(_mask_if_secret, text)
    for pattern in (_CREDENTIALS, _USERINFO):
        text = pattern.sub(_mask_value, text)
    return text


def mask(value: Atom) -> Atom:
    """Return any atom with the secrets in its texts masked."""
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, bytes):
        text = mask_text(value.decode("utf-8", "surrogateescape"))
        return text.encode("utf-8", "surrogateescape")
    if isinstance(value, tuple):
        return tuple(map(mask, value))
    if isinstance(value, dict):
        return {key: MASK if is_secret(key) else mask(item) for key, item in value.items()}
    return value


def keep(facts: Facts) -> Facts:
    """Return the facts of a scope, message or exception fit to be kept: cut, secrets masked.

    Payloads come back as they are: they are masked later, many at once (`mask_payloads`).
    """
    try:
        return _kept(facts, redact=True)
    except Exception:
        return _kept_odd(facts, redact=True)


def keep_all(facts: Facts) -> Facts:
    """Return facts with long values cut and nothing masked."""
    try:
        return _kept(facts, redact=False)
    except Exception:
        return _kept_odd(facts, redact=False)


def mask_payloads(batch: list[Any]) -> None:
    """Mask the secrets in the payloads of a batch of records, in place.

    All previews are scanned together first: that is many times faster than one by one.
    """
    if may_hold_secret({record[-3] for record in batch if len(record) > 8}):
        for i, record in enumerate(batch):
            if len(record) in PAYLOADS:
                batch[i] = (*record[:-3], mask(record[-3]), *record[-2:])


def _kept(facts: Facts, redact: bool) -> Facts:
    size = len(facts)
    if size in (1, 2) and type(facts[-1]) is tuple:
        return (*facts[:-1], clean_pairs(facts[-1], redact))
    if size == 3:
        return (*facts[:2], clean_headers(facts[2], redact))
    if size == 8:
        kind, setting, method, path, raw_path, query, headers, client = facts
        headers = clean_headers(headers, redact)
        if redact and (query or (path and "=" in path)):
            path, raw_path, query = mask(path), mask(raw_path), mask(query)
        return (kind, setting, method, path, raw_path, query, headers, client)
    return facts


def _kept_odd(facts: Facts, redact: bool) -> Facts:
    """Return facts that hold an odd value of a broken app."""
    try:
        return _kept(atom(facts), redact)
    except Exception as error:
        return (None, (("unreadable", type(error).__name__),))


def clean_pairs(pairs: Pairs, redact: bool) -> Pairs:
    """Return the (key, atom) pairs of a message with headers cut and secrets masked."""
    return tuple((key, _clean_value(key, value, redact)) for key, value in pairs)


def clean_headers(headers: Atom, redact: bool = True) -> Atom:
    """Return headers with long values cut, and credentials and cookies masked."""
    if not isinstance(headers, tuple):
        return mask(headers) if redact else headers
    clean = tuple(_clean_header(pair, redact) for pair in headers)
    if redact and clean == headers:
        if len(KNOWN_HEADERS) >= MAX_KNOWN:
            KNOWN_HEADERS.clear()
        KNOWN_HEADERS[headers] = headers
    return clean


MAX_KNOWN = 1024


def may_hold_secret(previews: set[Any]) -> bool:
    """Return whether any of many previews deserves a closer look: one fast scan for them all."""
    text = "\n".join([preview for preview in previews if type(preview) is str])
    blob = b"\n".join([preview for preview in previews if type(preview) is bytes])
    return _hinted(text.lower()) or _hinted(blob.lower().decode("latin-1"))


def _hinted(low: str) -> bool:
    hints = _HINTS if "=" in low or ":" in low else _SCHEMES
    return any(hint in low for hint in hints)


def _mask_value(found: re.Match[str]) -> str:
    return found["head"] + MASK


def _mask_if_secret(found: re.Match[str]) -> str:
    return found["head"] + MASK if is_secret(found["key"]) else found[0]


def _clean_value(key: str, value: Atom, redact: bool) -> Atom:
    if key == "headers":
        return clean_headers(value, redact)
    if not redact:
        return value
    return MASK if is_secret(key) and not isinstance(value, int) else mask(value)


def _clean_header(pair: Any, redact: bool) -> Atom:
    try:
        name, value = pair
        if type(name) is not bytes or type(value) is not bytes:
            name, value = atom(name), atom(value)
            if not isinstance(value, (bytes, str)):
                return (name, _clean_value(_text(name), value, redact))
        return (cut(name), _mask_header(_text(name).lower(), value) if redact else cut(value))
    except Exception:
        return MASK if redact else atom(pair)


def _mask_header(key: str, value: Any) -> Any:
    if key in ("authorization", "proxy-authorization"):
        scheme, space, _ = _text(value).partition(" ")
        return _like(value, f"{scheme[:32]} {MASK}" if space else MASK)
    if key == "cookie":
        return _like(value, ";".join(map(_mask_crumb, _text(value).split(";"))))
    if key == "set-cookie":
        crumb, semicolon, attributes = _text(value).partition(";")
        return _like(value, _mask_crumb(crumb) + semicolon + attributes)
    return _like(value, MASK) if is_secret(key) else mask(cut(value))


def _mask_crumb(crumb: str) -> str:
    name, equals, _ = crumb.partition("=")
    return f"{name}={MASK}" if equals else MASK


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _like(value: Any, text: str) -> Any:
    text = cut(text)
    return text if isinstance(value, str) else text[: PREVIEW + 3].encode("latin-1", "replace")
