"""Secrets never leave this process: they are masked when the ring is drained.

Masked by default, before anything is stored, shown or written: credentials and cookies in
headers, and the values of secret-sounding keys (`token`, `password`, `apiKey` ...) in query
strings, headers, bodies, WebSocket messages and error texts. Cookie names and the scheme of an
`Authorization` header stay: they are what one debugs with, and no secret.
"""

import re
from typing import Any
from urllib.parse import unquote

from asgi_lab.atoms import PREVIEW, Atom, Pairs, cut

MASK = "[redacted]"

SECRET_WORDS = frozenset(
    "pass passwd password passphrase passcode pwd pin otp secret token apikey auth authorization "
    "credential credentials jwt bearer session sessionid sessid sid sig signature csrf xsrf".split()
)
SECRET_ENDINGS = ("password", "passwd", "passphrase", "secret", "token", "apikey", "sessionid")
SECRET_KEYS = frozenset({"api", "access", "private", "secret", "signing", "encryption"})
"""Words that make a following `key` a secret: `api_key`, `private-key`."""

_HINTS = ("pass", "pwd", "pin", "otp", "secret", "token", "key", "auth", "cred", "jwt", "sess",
          "bearer", "basic", "sid", "sig", "csrf", "xsrf", "code", "://")  # fmt: skip
_BYTE_HINTS = tuple(hint.encode() for hint in _HINTS)

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
    low = text.lower()
    if not any(hint in low for hint in _HINTS):
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


def mask_pairs(pairs: Pairs) -> Pairs:
    """Return the (key, atom) pairs of a scope or a message, masked."""
    return tuple(
        (key, mask_headers(value) if key == "headers" else MASK if is_secret(key) else mask(value))
        for key, value in pairs
    )


def mask_headers(headers: Atom) -> Atom:
    """Return frozen headers with credentials and cookies masked."""
    if not isinstance(headers, tuple):
        return mask(headers)
    return tuple(_mask_header(pair) for pair in headers)


def may_hold_secret(previews: list[Any]) -> bool:
    """Return whether any of many previews deserves a closer look: one fast scan for them all."""
    text = "\n".join([preview for preview in previews if type(preview) is str]).lower()
    blob = b"\n".join([preview for preview in previews if type(preview) is bytes]).lower()
    return any(hint in text for hint in _HINTS) or any(hint in blob for hint in _BYTE_HINTS)


def _mask_value(found: re.Match[str]) -> str:
    return found["head"] + MASK


def _mask_if_secret(found: re.Match[str]) -> str:
    return found["head"] + MASK if is_secret(found["key"]) else found[0]


def _mask_header(pair: Any) -> Atom:
    try:
        name, value = pair
        key = _text(name).lower()
        if key in ("authorization", "proxy-authorization"):
            scheme, space, _ = _text(value).partition(" ")
            return (name, _like(value, f"{scheme[:32]} {MASK}" if space else MASK))
        if key == "cookie":
            return (name, _like(value, ";".join(map(_mask_crumb, _text(value).split(";")))))
        if key == "set-cookie":
            crumb, semicolon, attributes = _text(value).partition(";")
            return (name, _like(value, _mask_crumb(crumb) + semicolon + attributes))
        if is_secret(key):
            return (name, _like(value, MASK))
        return (name, mask(value))
    except Exception:
        return (MASK, MASK)


def _mask_crumb(crumb: str) -> str:
    name, equals, _ = crumb.partition("=")
    return f"{name}={MASK}" if equals else MASK


def _text(value: Any) -> str:
    return value if isinstance(value, str) else bytes(value).decode("latin-1")


def _like(value: Any, text: str) -> Any:
    text = cut(text)
    return text if isinstance(value, str) else text[: PREVIEW + 3].encode("latin-1", "replace")
