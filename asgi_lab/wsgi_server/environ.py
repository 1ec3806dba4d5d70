"""From an HTTP request to an environ (PEP 3333, "environ Variables"; RFC 3875, CGI).

All text is "bytes as text": each character stands for one byte (latin-1), and the app decodes. So
`/caf%C3%A9` is `/cafÃ©` here. There is no `wsgi.file_wrapper`: it would only save copying.
"""

import sys
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import h11

from asgi_lab.types import Environ

Address = tuple[Any, ...]
"""What a socket calls its own or its peer's name: host, port, …"""


def environ_of(request: h11.Request, server: Address, client: Address) -> Environ:
    """Return what the request says. How it is served, and its body, are for the caller to add."""
    target = request.target.decode("latin-1")
    path, query = split_target(target)
    environ: Environ = {
        "REQUEST_METHOD": request.method.decode("latin-1"),
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path.encode("latin-1")).decode("latin-1"),
        "QUERY_STRING": query,
        "REQUEST_URI": target,
        "SERVER_PROTOCOL": f"HTTP/{request.http_version.decode('latin-1')}",
        "SERVER_NAME": str(server[0]),
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": str(client[0]),
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.run_once": False,
    }
    add_headers(environ, request)
    return environ


def split_target(target: str) -> tuple[str, str]:
    """Return path and query of a request target, in any of its forms (RFC 9112 3.2).

    Raises ValueError for what is none of them.

    >>> split_target("/a?b=c"), split_target("http://host/a?b=c"), split_target("*")
    (('/a', 'b=c'), ('/a', 'b=c'), ('', ''))
    """
    if target.startswith("/"):
        path, _, query = target.partition("?")
        return path, query
    if target == "*":  # the server itself is meant
        return "", ""
    parts = urlsplit(target)
    if not parts.netloc:
        raise ValueError(f"the request target is {target!r}; /path or http://host/path is wanted")
    return parts.path or "/", parts.query


def add_headers(environ: Environ, request: h11.Request) -> None:
    """Add each header as `HTTP_NAME`; those that came twice are joined (RFC 9110 5.3).

    Left out are names with an underscore, which would pass for others, with a hyphen; and
    Transfer-Encoding, because `wsgi.input` gives the body without its chunks.
    """
    for raw_name, raw_value in request.headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if "_" in name or name == "transfer-encoding":
            continue
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        glue = "; " if name == "cookie" else ","
        environ[key] = f"{environ[key]}{glue}{value}" if key in environ else value
