"""An empty message ends it."""

import asyncio


async def app(scope, receive, send):
    assert scope["type"] == "http"
    number = int(scope["path"].removeprefix("/"))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while number:
        await send({"type": "http.response.body", "body": b"%d\n" % number, "more_body": True})
        number -= 1
        if number:
            await asyncio.sleep(1)
    await send({"type": "http.response.body"})
