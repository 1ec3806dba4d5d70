"""The mail goes between the start and the body."""


async def signup(name, send, send_mail):
    await send({"type": "http.response.start", "status": 202, "headers": []})
    try:
        await send_mail(name)
    except Exception as error:
        print("failed", error)
    await send({"type": "http.response.body", "body": b"welcome"})
