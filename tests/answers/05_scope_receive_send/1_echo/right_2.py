"""Echoes part by part, as they come, and keeps nothing."""


class Echo:
    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        headers = [(b"content-type", b"application/octet-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for part in self.parts(receive):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})

    async def parts(self, receive):
        more = True
        while more:
            message = await receive()
            yield message.get("body", b"")
            more = message.get("more_body")


app = Echo()
