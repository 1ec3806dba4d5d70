"""A task, and nobody waits for it."""

import asyncio


async def signup(name, send, send_mail):
    await send({"type": "http.response.start", "status": 202, "headers": []})
    await send({"type": "http.response.body", "body": b"welcome"})
    asyncio.create_task(send_mail(name))  # noqa: RUF006
