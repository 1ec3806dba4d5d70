"""What is served to the fuzzer: an app that sends back each WebSocket message as it came."""

from typing import Any


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Echo."""
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        text = message.get("text")
        back = {"bytes": message["bytes"]} if text is None else {"text": text}
        await send({"type": "websocket.send", **back})
