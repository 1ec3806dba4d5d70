"""The five names of ASGI, and WSGI's two, used everywhere in this package.

ASGI 3.0 (https://asgi.readthedocs.io/en/latest/specs/main.html, "Applications"): an application is
one callable, awaited once per connection with a *scope* and two awaitable callables.
WSGI: PEP 3333.
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[Any]]

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
WSGIApp = Callable[[Environ, StartResponse], Iterable[bytes]]
