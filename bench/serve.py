"""Serve the app in one of its wraps, or on our server: `python -m bench.serve NAME`.

Prints its port.
"""

import os
import socket
import sys

import uvicorn

from asgi_lab.server import Server
from asgi_lab.server.run import run
from bench.apps import SERVERS, UVICORN_TRACE, WRAPS, app

GENERATOR_CPU = (os.cpu_count() or 1) - 1
"""The last CPU is the load generator's; servers share the others."""


def main(name: str) -> None:
    if hasattr(os, "sched_setaffinity") and GENERATOR_CPU:
        os.sched_setaffinity(0, range(GENERATOR_CPU))
    bound = socket.create_server(("127.0.0.1", 0), backlog=128)
    # A socket that knows its protocol: or else asyncio leaves it without TCP_NODELAY.
    listener = socket.socket(fileno=bound.detach())
    print(listener.getsockname()[1], flush=True)
    if name == SERVERS[0]:
        run(Server(app, sock=listener, lifespan="off"))
        return
    plain = name == SERVERS[1]
    config = uvicorn.Config(
        app if plain else WRAPS[name](app),
        loop="asyncio" if plain else "uvloop",
        http="h11" if plain else "httptools",
        ws="wsproto" if plain else "auto",
        lifespan="off",
        access_log=False,
        log_level="trace" if name == UVICORN_TRACE else "warning",
    )
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(sys.argv[1])
