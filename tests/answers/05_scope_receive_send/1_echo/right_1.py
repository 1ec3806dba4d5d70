"""Parts in a list, with the walrus."""


async def app(scope, receive, send):
    assert scope["type"] == "http"
    parts = []
    while (message := await receive())["type"] == "http.request":
        parts.append(message["body"])
        if not message["more_body"]:
            break
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": b"".join(parts)})
