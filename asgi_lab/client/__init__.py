"""A client that drives a real server over a real socket: what `asgi-lab trace -r` sends.

    requests = [parse_request("GET /items"), parse_request("WS /chat hello")]
    if await wait_ready("127.0.0.1", 8000, timeout=5.0):
        tally = await drive("http://127.0.0.1:8000", requests, count=10, on_result=print)

Whatever becomes of a request, it ends as one `Result`: a refused connection or a broken answer is
something to look at, not an exception. httpx and wsproto are loaded when first driving.
"""

from asgi_lab.client.driver import drive, wait_ready
from asgi_lab.client.request import Request, parse_header, parse_request
from asgi_lab.client.result import Result, Tally

__all__ = ["Request", "Result", "Tally", "drive", "parse_header", "parse_request", "wait_ready"]
