"""Collects, and sends at the end."""

import asyncio


async def app(scope, receive, send):
    assert scope["type"] == "http"
    number = int(scope["path"].removeprefix("/"))
    body = b""
    for left in range(number, 0, -1):
        body += b"%d\n" % left
        if left > 1:
            await asyncio.sleep(1)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
