"""A part of its own for each newline; sleeps before it sends, and tasks instead of a loop."""

import asyncio


async def app(scope, receive, send):
    assert scope["type"] == "http"
    number = int(scope["path"].removeprefix("/"))
    await send({"type": "http.response.start", "status": 200, "headers": []})

    async def say(left):
        await asyncio.sleep(number - left)
        await send({"type": "http.response.body", "body": b"%d" % left, "more_body": True})
        await send({"type": "http.response.body", "body": b"\n", "more_body": left > 1})

    async with asyncio.TaskGroup() as group:
        for left in range(number, 0, -1):
            group.create_task(say(left))
