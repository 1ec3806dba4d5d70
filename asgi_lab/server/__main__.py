"""`python -m asgi_lab.server MODULE:APP`: serve an app from the command line."""

import importlib
import logging
import socket
import ssl
import sys
from typing import Any

import click

from asgi_lab.server.failures import short_traceback
from asgi_lab.server.http2_opening import protocols
from asgi_lab.server.lifespan import StartupFailed
from asgi_lab.server.reload import HASTE, serve_anew
from asgi_lab.server.run import run
from asgi_lab.server.serve import Server


class Unservable(click.ClickException):
    """What was asked for cannot be served; the message is for the user."""

    exit_code = 2


LEVELS = ("critical", "error", "warning", "info", "debug")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("target", metavar="MODULE:APP")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@click.option("--uds", metavar="PATH", help="Listen on a Unix socket instead.")
@click.option("--fd", type=int, metavar="N", help="Listen on the open socket of this number.")
@click.option("--app-dir", default=".", help="Folder to import from.  [default: this one]")
@click.option("--reload", is_flag=True, help="Serve anew when Python code changes")
@click.option("--reload-dir", metavar="FOLDER", help="here.  [default: the app's folder]")
@click.option("--loop", type=click.Choice(["asyncio", "uvloop"]), default="asyncio")
@click.option("--lifespan", type=click.Choice(["auto", "on", "off"]), default="auto")
@click.option("--log-level", type=click.Choice(LEVELS), default="info", show_default=True)
@click.option("--root-path", default="", help="The path that a proxy has cut off.")
@click.option("--trust", metavar="ADDRESS", multiple=True, help="A proxy to believe; * for all.")
@click.option("--certificate", metavar="FILE", help="Serve TLS with this certificate chain,")
@click.option("--key", metavar="FILE", help="and this private key.")
@click.option("--shutdown-seconds", type=float, help="[default: 10; with --reload 1]")
@click.option("--server-header/--no-server-header", default=True)
@click.option("--date-header/--no-date-header", default=True)
def main(target: str, log_level: str, app_dir: str, loop: str, **options: Any) -> None:
    """Serve MODULE:APP until it is interrupted."""
    logging.basicConfig(level=log_level.upper(), format="%(levelname)s: %(message)s")
    folder, anew = options.pop("reload_dir") or app_dir, options.pop("reload")
    try:
        if anew and options["fd"] is None:
            serve_anew(["-m", "asgi_lab.server", *sys.argv[1:]], [folder], **options)
            return
        if anew and options["shutdown_seconds"] is None:
            options["shutdown_seconds"] = HASTE
        run(make_server(load(target, app_dir), **options), load_loop(loop))
    except StartupFailed as error:
        sys.exit(f"the app did not start: {error}")
    except (OSError, ValueError) as error:
        raise Unservable(f"cannot serve: {error}") from None


def make_server(
    app: Any,
    *,
    certificate: str | None,
    key: str | None,
    trust: tuple[str, ...],
    fd: int | None,
    shutdown_seconds: float | None,
    **options: Any,
) -> Server:
    """Return a server for these options. Raises OSError or ValueError for what it cannot do."""
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        context.set_alpn_protocols(protocols())
    return Server(
        app,
        ssl=context,
        proxies=trust,
        sock=None if fd is None else socket.socket(fileno=fd),
        shutdown_seconds=10.0 if shutdown_seconds is None else shutdown_seconds,
        observe=getattr(app, "asgi_lab_observe", None),  # an app that wants to know of the wire
        **options,
    )


def load(target: str, app_dir: str) -> Any:
    """Import what `module:attribute` names. Raises `Unservable`."""
    name, _, attribute = target.partition(":")
    if not name or not attribute:
        raise Unservable(f"expected MODULE:APP, as in main:app, got {target!r}")
    sys.path.insert(0, app_dir)
    try:
        found = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if f"{name}.".startswith(f"{error.name}."):
            raise Unservable(f"no module named {error.name!r} in {app_dir}") from None
        raise Unservable(f"cannot import {name}:\n{short_traceback(error)}") from None
    except Exception as error:
        raise Unservable(f"cannot import {name}:\n{short_traceback(error)}") from None
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise Unservable(f"{name} has no attribute {attribute!r}") from None
    if not callable(found):
        raise Unservable(f"{target} is no app: {type(found).__name__} is not callable")
    return found


def load_loop(name: str) -> Any:
    """Return what makes an event loop of this kind."""
    if name == "asyncio":
        return None
    try:
        return importlib.import_module("uvloop").new_event_loop
    except ModuleNotFoundError:
        raise Unservable("uvloop is not installed: pip install uvloop") from None


if __name__ == "__main__":
    main(prog_name="python -m asgi_lab.server")
