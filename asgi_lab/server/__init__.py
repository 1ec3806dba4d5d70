"""An ASGI server, small enough to be read.

    async with Server(app, port=0) as server:
        print(server.url)

From the outside in, each module readable alone:

    serve               listening, and ending in good order (`run`: in a process of its own;
                        `reload`: in one after another, as the code changes)
    lifespan            the app's beginning and end
    connection          one client's connection: transport, session, flow, patience
    http_session        HTTP/1.1 on it, request after request
    exchange            one request and its response, as the app sees them: receive and send
    http11              HTTP/1.1 itself: bytes in, events out (`request`: which are refused;
                        `chunks`; `response`: what an app may say, in HTTP/2 as well)
    websocket_session   a WebSocket on it
    conversation        a WebSocket as the app sees it: receive and send
    websocket           WebSocket itself: bytes in, events out
    http2_session       HTTP/2 on it: many streams at once (`http2_stream`: one of them)
    http2               HTTP/2 itself: bytes in, events out (and `http2_state`, `http2_frames` ...)
    lingering           what is left when all has been said

    scope, calling, failures            between HTTP and ASGI
    flow, limits, proxies, config       what is counted, waited for, trusted, told
"""

from asgi_lab.server.flow import ClientDisconnected
from asgi_lab.server.lifespan import StartupFailed
from asgi_lab.server.limits import Limits
from asgi_lab.server.serve import Server

__all__ = ["ClientDisconnected", "Limits", "Server", "StartupFailed"]
