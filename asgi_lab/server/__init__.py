"""An ASGI server, small enough to be read.

    async with Server(app, port=0) as server:
        print(server.url)

From the outside in, each module readable alone:

    serve           listening, and ending in good order
    connection      one client's connection: transport, session, flow, patience
    http_session    HTTP/1.1 on it, request after request
    exchange        one request and its response, as the app sees them: receive and send
    http11          HTTP/1.1 itself: bytes in, events out
    websocket_session, websocket    the same two for WebSockets
    scope, flow, lifespan, limits, proxies, failures, alive, config    what they share
"""

from asgi_lab.server.flow import ClientDisconnected
from asgi_lab.server.lifespan import StartupFailed
from asgi_lab.server.limits import Limits
from asgi_lab.server.serve import Server

__all__ = ["ClientDisconnected", "Limits", "Server", "StartupFailed"]
