"""The last resort: an exception that nobody has answered becomes a 500, and a line in the log.

With `debug`, the page shows the traceback. Never in production: it shows the source, too. Once a
response has begun nothing can be taken back: the exception goes on to the server, which cuts the
connection, so that the client does not take half an answer for a whole one.
"""

import html
import logging
import traceback

from asgi_lab.framework.conversation import Conversation
from asgi_lab.framework.errors import ClientDisconnect, WebSocketDisconnect
from asgi_lab.framework.headers import Headers
from asgi_lab.framework.responses import HTMLResponse, Response, TextResponse
from asgi_lab.types import ASGIApp, Receive, Scope, Send

log = logging.getLogger("asgi_lab.framework")

PAGE = """<!doctype html>
<meta charset="utf-8"><title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem }}
h1 {{ font-size: 1.25rem }} li {{ margin: .5rem 0 }} pre {{ background: #8882; padding: .5rem }}
</style>
<h1>{title}</h1><p>{request}</p>
<ol>{frames}</ol>
<details><summary>Traceback</summary><pre>{traceback}</pre></details>
"""


class Errors:
    """Stands outermost. A client's leaving ends here, too: that is no error."""

    def __init__(self, app: ASGIApp, debug: bool = False) -> None:
        self.app = app
        self.debug = debug

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the app; answer for it if it fails."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        talk = Conversation(scope, receive, send)
        try:
            await self.app(scope, talk.receive, talk.send)
        except (ClientDisconnect, WebSocketDisconnect):
            return
        except Exception as error:
            if talk.started and scope["type"] == "http":
                raise
            log.error("%s %s failed", scope.get("method", "WS"), scope["path"], exc_info=error)
            await talk.answer(self.response(scope, error))

    def response(self, scope: Scope, error: Exception) -> Response:
        """Return the page that says so: to a browser as HTML, to others as text."""
        if not self.debug:
            return TextResponse("Internal Server Error", 500)
        if "text/html" not in Headers(scope["headers"]).get("accept", ""):
            return TextResponse("".join(traceback.format_exception(error)), 500)
        return HTMLResponse(page(scope, error), 500)


def page(scope: Scope, error: Exception) -> str:
    """Return the debug page: where it happened, the innermost place last; all of it escaped."""
    frames = [
        f"<li>{html.escape(frame.filename)}, line {frame.lineno}, in {html.escape(frame.name)}"
        f"<pre>{html.escape(frame.line or '')}</pre></li>"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    return PAGE.format(
        title=html.escape("".join(traceback.format_exception_only(error)).strip()),
        request=html.escape(f"{scope.get('method', 'WS')} {scope['path']}"),
        frames="".join(frames),
        traceback=html.escape("".join(traceback.format_exception(error))),
    )
