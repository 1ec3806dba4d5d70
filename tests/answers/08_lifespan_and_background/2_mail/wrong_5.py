"""What fails is raised."""


async def signup(name, send, send_mail):
    await send({"type": "http.response.start", "status": 202, "headers": []})
    await send({"type": "http.response.body", "body": b"welcome"})
    await send_mail(name)
