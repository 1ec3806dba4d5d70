"""Middleware: ASGI apps around an ASGI app, each with the next one in `app`.

    app.middleware(GZip, minimum=1000)       # in an App
    app = GZip(app, minimum=1000)            # around any ASGI app

A layer calls the next one with its own scope, `receive` or `send` in the place of those it got; so
it sees each message on its way, and touches none but its own copy:

    server ──scope──►  layer  ──scope──►  app
           ─receive─►         ─receive─►
           ◄──send──          ◄──send──

What it does not know of (`lifespan`, and what may come) it lets through. Begin with `timing`.
"""

from asgi_lab.framework.middleware.cors import CORS
from asgi_lab.framework.middleware.errors import Errors, Exceptions
from asgi_lab.framework.middleware.gzip import GZip
from asgi_lab.framework.middleware.sessions import Sessions
from asgi_lab.framework.middleware.timing import Timing

__all__ = ["CORS", "Errors", "Exceptions", "GZip", "Sessions", "Timing"]
