"""One worker, one request at a time: whoever comes meanwhile waits in line.

The simplest model there is, and the one that the others are made of.
"""

from asgi_lab.types import WSGIApp
from asgi_lab.wsgi_server.exchange import Accept
from asgi_lab.wsgi_server.gateway import answer


def serve(accept: Accept, app: WSGIApp) -> None:
    """Answer what `accept` gives, one after the other, until it gives None."""
    while (exchange := accept()) is not None:
        answer(app, exchange)
