"""Python's own WSGI server, a thread per request: `--server wsgiref`, which needs no install."""

import argparse
import importlib
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server


class ThreadingServer(ThreadingMixIn, WSGIServer):
    """`wsgiref.simple_server`, with a thread for each connection."""

    daemon_threads = True


class QuietHandler(WSGIRequestHandler):
    """A handler without an access log: the trace is one."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def main() -> None:
    """Serve `MODULE:ATTRIBUTE` until interrupted."""
    parser = argparse.ArgumentParser(prog="wsgiref")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("app", help="MODULE:ATTRIBUTE")
    options = parser.parse_args()
    module, _, attribute = options.app.partition(":")
    app = getattr(importlib.import_module(module), attribute)
    with make_server(options.host, options.port, app, ThreadingServer, QuietHandler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
