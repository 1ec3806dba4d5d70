"""Keeps the last part alone."""


async def app(scope, receive, send):
    assert scope["type"] == "http"
    message = {"more_body": True}
    while message["more_body"]:
        message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": message["body"]})
