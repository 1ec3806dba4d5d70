"""Never says that it was the last."""

import asyncio


async def app(scope, receive, send):
    assert scope["type"] == "http"
    number = int(scope["path"].removeprefix("/"))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for left in range(number, 0, -1):
        await send({"type": "http.response.body", "body": b"%d\n" % left, "more_body": True})
        await asyncio.sleep(1)
