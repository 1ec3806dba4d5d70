"""Text where bytes belong."""


async def app(scope, receive, send):
    assert scope["type"] == "http"
    body, more = "", True
    while more:
        message = await receive()
        body += message["body"].decode()
        more = message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
