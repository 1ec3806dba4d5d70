"""What PEP 3333 asks of a status and of headers ("The start_response() Callable").

A server that passes bad ones on lets an app split responses and smuggle headers; one that drops
them in silence lets it believe that all is well. Each message says what was given and what is
wanted.
"""

import re
from wsgiref.util import is_hop_by_hop

from asgi_lab.wsgi_server.exchange import Headers

STATUS = re.compile(r"[2-9][0-9][0-9] [^\x00-\x1f\x7f]*")
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 5.6.2
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class BrokenApp(Exception):
    """The app broke PEP 3333: what it did, and what is wanted."""


def check_status(status: object) -> None:
    """Raise `BrokenApp` unless the status is one such as `404 Not Found`."""
    if not isinstance(status, str) or not STATUS.fullmatch(status) or not is_latin1(status):
        raise BrokenApp(f"its status is {status!r}; a str such as '404 Not Found' is wanted")


def check_headers(headers: object) -> None:
    """Raise `BrokenApp` unless the headers are a list of pairs of str that HTTP allows."""
    if not isinstance(headers, list):
        raise BrokenApp(f"its headers are a {type(headers).__name__}; a list is wanted")
    for header in headers:
        if not (isinstance(header, tuple) and list(map(type, header)) == [str, str]):
            raise BrokenApp(f"one of its headers is {header!r}; a tuple of two str is wanted")
        name, value = header
        if not TOKEN.fullmatch(name):
            raise BrokenApp(f"{name!r} is not the name of a header")
        if CONTROL.search(value) or not is_latin1(value):
            raise BrokenApp(f"the header {name} is {value!r}: no line ends, and latin-1 only")
        if is_hop_by_hop(name):
            raise BrokenApp(f"the header {name} is for the server alone to send")
    lengths = {value for name, value in headers if name.lower() == "content-length"}
    if len(lengths) > 1 or not all(re.fullmatch("[0-9]{1,18}", value) for value in lengths):
        raise BrokenApp(
            f"its Content-Length is {' and '.join(sorted(lengths))}; one number is wanted"
        )


def content_length(headers: Headers) -> int | None:
    """Return the length that headers promise, in bytes, or None.

    >>> content_length([("content-length", "12")])
    12
    """
    return next((int(value) for name, value in headers if name.lower() == "content-length"), None)


def is_latin1(text: str) -> bool:
    """Return whether each character stands for one byte, as in all text of WSGI."""
    return all(character <= "\xff" for character in text)
