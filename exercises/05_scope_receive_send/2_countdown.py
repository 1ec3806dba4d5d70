"""05.2  Countdown: send as you go.

For GET /3, send three lines: "3\\n" at once, "2\\n" a second later, "1\\n" after another second.
For GET /5 there are five. It is one response, with status 200, whose body is sent in parts: the
client has each line as soon as it is sent. While your app waits, others are served.

Check yourself: asgi-lab check 05.2
"""

import asyncio


async def app(scope, receive, send):
    assert scope["type"] == "http"
    number = int(scope["path"].removeprefix("/"))
    # TODO: send a start, then a part for each line. `asyncio.sleep` waits.
    raise NotImplementedError("your turn")
