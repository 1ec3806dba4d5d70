"""Serve the app on Uvicorn in one of its wraps: `python -m bench.serve NAME`. Prints its port."""

import os
import socket
import sys

import uvicorn

from bench.apps import UVICORN_TRACE, WRAPS, app

GENERATOR_CPU = (os.cpu_count() or 1) - 1
"""The last CPU is the load generator's; servers share the others."""


def main(name: str) -> None:
    if hasattr(os, "sched_setaffinity") and GENERATOR_CPU:
        os.sched_setaffinity(0, range(GENERATOR_CPU))
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    config = uvicorn.Config(
        WRAPS[name](app),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        log_level="trace" if name == UVICORN_TRACE else "warning",
    )
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(sys.argv[1])
