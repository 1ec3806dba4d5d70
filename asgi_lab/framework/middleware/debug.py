"""What a developer sees when the app has failed: where, and how it got there.

Never in production: it shows the source, too.
"""

import html
import traceback

from asgi_lab.framework.headers import Headers
from asgi_lab.framework.responses import HTMLResponse, Response, TextResponse
from asgi_lab.types import Scope

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


def debug_response(scope: Scope, error: Exception) -> Response:
    """Return the traceback: to a browser as a page, to others as text."""
    whole = "".join(traceback.format_exception(error))
    if "text/html" not in Headers(scope["headers"]).get("accept", ""):
        return TextResponse(whole, 500)
    escape = html.escape  # an error may say what a client wrote: let none of it be HTML
    frames = [
        f"<li>{escape(frame.filename)}, line {frame.lineno}, in {escape(frame.name)}"
        f"<pre>{escape(frame.line or '')}</pre></li>"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    page = PAGE.format(
        title=escape("".join(traceback.format_exception_only(error)).strip()),
        request=escape(f"{scope.get('method', 'WS')} {scope['path']}"),
        frames="".join(frames),
        traceback=escape(whole),
    )
    return HTMLResponse(page, 500)
