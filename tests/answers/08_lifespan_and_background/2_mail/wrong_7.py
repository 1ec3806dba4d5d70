"""A task beside the response."""

import asyncio


async def signup(name, send, send_mail):
    mail = asyncio.create_task(send_mail(name))
    await send({"type": "http.response.start", "status": 202, "headers": []})
    await send({"type": "http.response.body", "body": b"welcome"})
    try:
        await mail
    except Exception as error:
        print("failed", error)
