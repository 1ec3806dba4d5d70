"""It is called, and not awaited."""


async def signup(name, send, send_mail):
    await send({"type": "http.response.start", "status": 202, "headers": []})
    await send({"type": "http.response.body", "body": b"welcome"})
    send_mail(name)
