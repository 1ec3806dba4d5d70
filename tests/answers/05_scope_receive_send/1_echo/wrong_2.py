"""Begins a response for each part."""


async def app(scope, receive, send):
    assert scope["type"] == "http"
    more = True
    while more:
        message = await receive()
        more = message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": message["body"], "more_body": more})
