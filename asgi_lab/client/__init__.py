"""Clients: the words in which a workload is written, and its performance.

    clients = [get("/"), 10 * [user(get("/slow"), pause(1.0), ws("/chat", "hi", expect("hi")))]]
    results = await perform(SocketDoor("http://127.0.0.1:8000"), clients, concurrency=4)

A *door* leads to a server: `SocketDoor` over real sockets, `asgi_lab.memory.MemoryDoor` straight
into an app. Whatever becomes of a request, it ends as one `Result`: a refused connection or a
broken answer is something to look at, not an exception. h11 and wsproto are loaded by the first
client that comes in.
"""

from asgi_lab.client.door import Connection, Door
from asgi_lab.client.driver import drive, wait_ready
from asgi_lab.client.parse import parse_header, parse_request
from asgi_lab.client.perform import perform
from asgi_lab.client.request import Request
from asgi_lab.client.result import Result, Tally
from asgi_lab.client.sockets import SocketDoor
from asgi_lab.client.steps import After, Close, Expect, Pause
from asgi_lab.client.words import (
    Client,
    Clients,
    User,
    after,
    close,
    delete,
    every,
    expect,
    get,
    head,
    options,
    patch,
    pause,
    poisson,
    post,
    put,
    request,
    user,
    ws,
)

__all__ = [
    "After",
    "Client",
    "Clients",
    "Close",
    "Connection",
    "Door",
    "Expect",
    "Pause",
    "Request",
    "Result",
    "SocketDoor",
    "Tally",
    "User",
    "after",
    "close",
    "delete",
    "drive",
    "every",
    "expect",
    "get",
    "head",
    "options",
    "parse_header",
    "parse_request",
    "patch",
    "pause",
    "perform",
    "poisson",
    "post",
    "put",
    "request",
    "user",
    "wait_ready",
    "ws",
]
