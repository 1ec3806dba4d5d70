"""A task that is waited for."""

import asyncio


async def signup(name, send, send_mail):
    await send({"type": "http.response.start", "status": 202, "headers": []})
    await send({"type": "http.response.body", "body": b"welcome"})
    task = asyncio.create_task(send_mail(name))
    done, _ = await asyncio.wait([task])
    for each in done:
        print(each.exception() or "sent")
