"""Cookies: what a server asks a client to remember, and what the client then says each time.

    set-cookie: theme=dark; path=/; samesite=lax        # response: one field a cookie
    cookie: theme=dark; lang=en                         # requests: all of them in one

A value may not hold a semicolon, a comma, a space (RFC 6265, section 4.1.1); so any text is
%-encoded on its way out, and decoded on its way in.
"""

import re
from urllib.parse import quote, unquote

from asgi_lab.framework.headers import TOKEN

PLAIN = "!#$&'()*+-./:<=>?@[]^_`{|}~"  # may stand in a value as it is; % may, too, but encodes
ATTRIBUTE = re.compile(r"[^;\x00-\x1f\x7f]*")


def parse_cookies(header: str) -> dict[str, str]:
    """Return the cookies that a client sent (RFC 6265, section 5.4); the first of a name counts.

    >>> parse_cookies("a=1; b=caf%C3%A9; a=2")
    {'a': '1', 'b': 'café'}
    """
    found: dict[str, str] = {}
    for part in header.split(";"):
        name, equals, value = part.strip().partition("=")
        if equals:
            found.setdefault(name.strip(), unquote(value.strip().strip('"')))
    return found


def format_cookie(name: str, value: str, **attributes: str | int | None) -> str:
    """Return the value of a `set-cookie` field (RFC 6265, section 4.1).

    Attributes are `max_age` in seconds, `path`, `domain`, `samesite`, and `secure` and `httponly`,
    which are true or not. Raises ValueError for what cannot be sent.

    >>> format_cookie("theme", "dark", max_age=60, secure=True)
    'theme=dark; path=/; samesite=lax; max-age=60; secure'
    """
    if not TOKEN.fullmatch(name):
        raise ValueError(f"a cookie's name is a token such as theme, got {name!r}")
    line = f"{name}={quote(value, safe=PLAIN)}"
    for key, what in {"path": "/", "samesite": "lax", **attributes}.items():
        if what is None or what is False:
            continue
        if not ATTRIBUTE.fullmatch(str(what)):
            raise ValueError(f"a cookie's {key} has no semicolons, got {what!r}")
        line += f"; {key.replace('_', '-')}" + ("" if what is True else f"={what}")
    return line
