"""05.1  Echo: send back what you receive.

A client may send its body in parts: then `receive()` returns several `http.request` messages, and
`more_body` is true in all but the last. Answer with status 200, and with exactly the bytes that
came.

Check yourself: asgi-lab check 05.1
"""


async def app(scope, receive, send):
    assert scope["type"] == "http"
    # TODO: receive until all of the body is there. Then send a start, and the body.
    raise NotImplementedError("your turn")
