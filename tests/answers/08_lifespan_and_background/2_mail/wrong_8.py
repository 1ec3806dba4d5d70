"""A task that is kept, and yet nobody waits for it."""

import asyncio

tasks = set()


async def signup(name, send, send_mail):
    await send({"type": "http.response.start", "status": 202, "headers": []})
    await send({"type": "http.response.body", "body": b"welcome"})
    task = asyncio.create_task(send_mail(name))
    tasks.add(task)
    task.add_done_callback(tasks.discard)
