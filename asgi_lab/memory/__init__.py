"""A server without a wire: clients come straight into an app, on any event loop, with no sockets.

    async with serve(app) as door:                    # lifespan, and shutdown at the end
        results = await perform(door, [get("/"), ws("/chat", "hello")])

An ASGI app is told what unmodified Uvicorn would tell it over a socket, in the same order, and its
clients see the same answers (`tests/test_memory_same.py` compares them). Only the wire is missing:
nothing is parsed, nothing takes time, and no date or server header is added.

`WSGIDoor` leads to WSGI workers in threads: they take its exchanges from a queue.
"""

from asgi_lab.memory.door import MemoryDoor, serve
from asgi_lab.memory.lifespan import LifespanFailed, lifespan
from asgi_lab.memory.wsgi import MemoryExchange, WSGIDoor

__all__ = ["LifespanFailed", "MemoryDoor", "MemoryExchange", "WSGIDoor", "lifespan", "serve"]
