"""Middleware: ASGI apps around an ASGI app, each with the next one in `app`.

    app.middleware(GZip, minimum=1000)       # in an App
    app = GZip(app, minimum=1000)            # around any ASGI app

Each calls the next one with another `receive`, `send` or scope, and touches no message but its own
copy. What it does not know of (`lifespan`, and what may come) it lets through.
"""

from asgi_lab.framework.middleware.cors import CORS
from asgi_lab.framework.middleware.errors import Errors
from asgi_lab.framework.middleware.exceptions import Exceptions
from asgi_lab.framework.middleware.gzip import GZip
from asgi_lab.framework.middleware.sessions import Sessions
from asgi_lab.framework.middleware.timing import Timing

__all__ = ["CORS", "Errors", "Exceptions", "GZip", "Sessions", "Timing"]
