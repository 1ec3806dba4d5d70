"""The command: `python -m asgi_lab.wsgi_server MODULE:APP`."""

import logging
import sys
from importlib import import_module
from typing import Any

import click

from asgi_lab.types import WSGIApp
from asgi_lab.wsgi_server.prefork import CannotStart
from asgi_lab.wsgi_server.serving import serve_loaded

LEVELS = ("debug", "info", "warning", "error")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, help="0 is a free one.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1), help="Processes.")
@click.option("--threads", default=1, show_default=True, type=click.IntRange(1), help="In each.")
@click.option("--log-level", default="info", show_default=True, type=click.Choice(LEVELS))
@click.argument("app", metavar="MODULE:APP")
def main(host: str, port: int, workers: int, threads: int, log_level: str, app: str) -> None:
    """Serve a WSGI app until Ctrl-C: one request at a time, on threads, or on processes."""
    logging.basicConfig(level=log_level.upper(), format="%(levelname)s: %(message)s")
    try:
        serve_loaded(lambda: load(app), host, port, workers, threads)
    except OSError as error:
        raise click.UsageError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    except CannotStart as error:
        raise click.ClickException(str(error)) from error
    except KeyboardInterrupt:
        sys.exit(130)


def load(target: str) -> WSGIApp:
    """Import `module:attribute`; the attribute is `app` if it is left out."""
    module, _, path = target.partition(":")
    app: Any = import_module(module)
    for name in (path or "app").split("."):
        app = getattr(app, name)
    loaded: WSGIApp = app
    return loaded


if __name__ == "__main__":
    main()
