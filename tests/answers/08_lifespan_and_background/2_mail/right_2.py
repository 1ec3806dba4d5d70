"""The response in parts."""

import contextlib


async def signup(name, send, send_mail):
    await send({"type": "http.response.start", "status": 202, "headers": []})
    await send({"type": "http.response.body", "body": b"wel", "more_body": True})
    await send({"type": "http.response.body", "body": b"come", "more_body": True})
    await send({"type": "http.response.body", "body": b""})
    with contextlib.suppress(ConnectionError):
        await send_mail(name)
