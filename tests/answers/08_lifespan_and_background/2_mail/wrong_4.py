"""The end of the response waits for the mail."""


async def signup(name, send, send_mail):
    await send({"type": "http.response.start", "status": 202, "headers": []})
    await send({"type": "http.response.body", "body": b"welcome", "more_body": True})
    try:
        await send_mail(name)
    except Exception as error:
        print("failed", error)
    await send({"type": "http.response.body", "body": b""})
