"""05.1  Echo: send back what you receive.

A client may send its body in parts: then `receive()` returns several `http.request` messages, and
`more_body` is true in all but the last. Answer with status 200, and with exactly the bytes that
came.

Check yourself: asgi-lab check 05.1
"""


async def app(scope, receive, send):
    assert scope["type"] == "http"
    # TODO: receive until all of the body is there. Then send a start, and the body.
    # your code begins
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
    # your code ends
