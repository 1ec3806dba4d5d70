"""`asgi-lab serve`: our own server, untraced; for a WSGI app, that of `asgi_lab.wsgi_server`."""

import logging
from typing import Any

from asgi_lab.adapters.target import TargetError, load_target
from asgi_lab.commands.output import fail, warn

BROKEN = 1
"""The exit code if the app does not start."""

ONLY_ASGI = ("uds", "root_path", "trust", "certificate", "loop")
ONLY_WSGI = ("workers", "threads")


def run_serve(**given: Any) -> int:
    """Serve until a signal; return the exit code."""
    level = given.pop("log_level").upper()
    logging.basicConfig(level=level, format="%(levelname)s: %(message)s")
    try:
        app, interface = load_target(given["target"], given["app_dir"], given["factory"])
        check(given, interface)
    except (TargetError, ValueError) as error:
        return fail(str(error))
    try:
        return serve_wsgi(app, given) if interface == "wsgi" else serve_asgi(app, interface, given)
    except OSError as error:
        return fail(f"cannot listen on {given['uds'] or given['host']}: {error.strerror or error}")
    except ValueError as error:
        return fail(str(error))


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
    from asgi_lab.server.run import run

    names = ("host", "port", "uds", "root_path", "trust", "certificate", "key", "shutdown_seconds")
    settings = {name: given[name] for name in names}
    server = make_server(single_callable(app) if interface == "asgi2" else app, **settings)
    try:
        run(server, load_loop(given["loop"] or "asyncio"))
    except StartupFailed as error:
        warn(f"the app did not start: {error}")
        return BROKEN
    return 0


def serve_wsgi(app: Any, given: dict[str, Any]) -> int:
    """Serve a WSGI app."""
    from asgi_lab.wsgi_server import serve

    workers, threads = given["workers"] or 1, given["threads"] or 1
    try:
        serve(app, given["host"], given["port"], workers, threads)
    except KeyboardInterrupt:
        return 130
    return 0
