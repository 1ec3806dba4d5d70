"""`asgi-lab serve`: our own server, untraced; for a WSGI app, that of `asgi_lab.wsgi_server`."""

import logging
import socket
import sys
from functools import partial
from pathlib import Path
from typing import Any

from asgi_lab.adapters.target import TargetError, load_target
from asgi_lab.commands.output import fail, warn

logger = logging.getLogger("asgi_lab.server")

BROKEN = 1
"""The exit code if the app does not start."""

ONLY_ASGI = ("uds", "root_path", "trust", "certificate", "loop")
ONLY_WSGI = ("workers", "threads")


def run_serve(**given: Any) -> int:
    """Serve until a signal; return the exit code."""
    level = given.pop("log_level").upper()
    logging.basicConfig(level=level, format="%(levelname)s: %(message)s")
    try:
        if given["reload"] and given["fd"] is None:
            return supervise(given)
        app, interface = load_target(given["target"], given["app_dir"], given["factory"])
        check(given, interface)
        return serve_wsgi(app, given) if interface == "wsgi" else serve_asgi(app, interface, given)
    except (TargetError, ValueError) as error:
        return fail(str(error))
    except OSError as error:
        socket_given = f"socket {given['fd']}" if given["fd"] is not None else None
        where = socket_given or given["uds"] or given["host"]
        return fail(f"cannot listen on {where}: {error.strerror or error}")


def supervise(given: dict[str, Any]) -> int:
    """Serve in a process of its own, and anew when the code changes."""
    from asgi_lab.server.reload import serve_anew

    file = Path(given["app_dir"], given["target"].partition(":")[0])
    folders = [given["app_dir"], *([str(file.parent)] if file.is_file() else [])]
    serve_anew(["-m", "asgi_lab", *sys.argv[1:]], folders, **given)
    return 0


def check(given: dict[str, Any], interface: str) -> None:
    """Raise ValueError for options that the app's interface has no use for."""
    wsgi = interface == "wsgi"
    for name in ONLY_ASGI if wsgi else ONLY_WSGI:
        if given[name]:
            option = name.replace("_", "-")
            speaks = "WSGI" if wsgi else "ASGI"
            other = "an ASGI" if wsgi else "a WSGI"
            raise ValueError(f"the app speaks {speaks}: --{option} is for {other} app")


def serve_asgi(app: Any, interface: str, given: dict[str, Any]) -> int:
    """Serve an ASGI app."""
    from asgi_lab.interface import single_callable
    from asgi_lab.server.__main__ import load_loop, make_server
    from asgi_lab.server.lifespan import StartupFailed
    from asgi_lab.server.reload import HASTE
    from asgi_lab.server.run import run

    if given["reload"] and given["shutdown_seconds"] is None:
        given["shutdown_seconds"] = HASTE
    names = ("host", "port", "uds", "fd", "root_path", "trust", "certificate", "key")
    settings = {name: given[name] for name in (*names, "shutdown_seconds")}
    server = make_server(single_callable(app) if interface == "asgi2" else app, **settings)
    try:
        run(server, load_loop(given["loop"] or "asyncio"))
    except StartupFailed as error:
        warn(f"the app did not start: {error}")
        return BROKEN
    return 0


def serve_wsgi(app: Any, given: dict[str, Any]) -> int:
    """Serve a WSGI app."""
    from asgi_lab.wsgi_server import prefork, serve

    workers, threads = given["workers"] or 1, given["threads"] or 1
    try:
        if given["fd"] is None:
            serve(app, given["host"], given["port"], workers, threads)
        else:
            with socket.socket(fileno=given["fd"]) as listener:
                url = "http://{}:{}".format(*listener.getsockname())
                told = partial(logger.info, "listening on %s", url)
                prefork.serve(listener, app, workers, threads, ready=told)
    except KeyboardInterrupt:
        return 130
    return 0
