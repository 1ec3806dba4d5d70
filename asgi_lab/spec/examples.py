"""The right form of what rules ask for, to copy; and where to look for what no message shows.

>>> right_form("H3")
'await send({"type": "http.response.start", "status": 200, "headers": []})'
"""

START = 'await send({"type": "http.response.start", "status": 200, "headers": [HEADERS]})'
BODY = 'await send({"type": "http.response.body", "body": BODY})'
LAST = BODY.replace("BODY", 'b"hello"')
ACCEPTED = 'await receive()\nawait send({"type": "websocket.accept"})'
WHOLE = START.replace("HEADERS", "") + "\n" + LAST


def _headed(header: str) -> str:
    return START.replace("HEADERS", header)


_TYPED = _headed('(b"content-type", b"text/plain")')

_FORMS = {
    "G1": 'await send({"type": "http.response.body", "body": b"hello"})',
    "G2": 'if scope["type"] == "websocket":\n    await send({"type": "websocket.close"})',
    "G3": 'await send({"type": "http.response.body", "body": b"hello", "at": when.isoformat()})',
    "G4": 'if scope["type"] != "http":\n    raise NotImplementedError(scope["type"])',
    "G5": 'message = await receive()\nawait send({"type": "http.response.body"})',
    "G6": 'await self.app({**scope, "path": path}, receive, send)',
    "G7": "async with asyncio.TaskGroup() as group:  # waits for its tasks\n"
    "    group.create_task(stream(send))",
    "G8": "async def app(scope, receive, send):\n    ...",
    "H1": WHOLE,
    "H2": "if wrong:\n    await answer(400, send)\n    return\nawait answer(200, send)",
    "H3": _headed(""),
    "H4": _headed("").replace("200", "204"),
    "H5": _TYPED,
    "H6": _TYPED,
    "H7": _headed("").replace("200", "404"),
    "H8": _headed('(b"location", quote(target).encode("ascii"))'),
    "H9": _headed('(b"content-length", str(len(body)).encode())'),
    "H10": WHOLE.replace("200", "204").replace(', "body": b"hello"', ""),
    "H11": BODY.replace("BODY", 'text.encode(), "more_body": True'),
    "H12": 'for part in parts:\n    await send({"type": "http.response.body", "body": part, '
    '"more_body": True})\nawait send({"type": "http.response.body"})',
    "H13": 'try:\n    await stream(send)\nfinally:\n    await send({"type": "http.response.body"})',
    "H14": "if handler is None:\n    await answer(404, send)\n    return",
    "H15": "try:\n    await handle(scope, receive, send)\n"
    "except LookupError:\n    await answer(404, send)",
    "H16": "body = text.encode()\n"
    + _headed('(b"content-length", str(len(body)).encode())')
    + "\n"
    + BODY.replace("BODY", "body"),
    "H17": WHOLE.replace("200", "204").replace(', "body": b"hello"', ""),
    "H18": 'await send({"type": "http.response.start", "status": 200, "headers": [], '
    f'"trailers": True}})\n{LAST}\n'
    'await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"1")]})',
    "H19": 'if (await receive())["type"] == "http.disconnect":\n    return',
    "H20": 'while (await receive())["type"] != "http.disconnect":\n    pass',
    "W1": f'{ACCEPTED}\nawait send({{"type": "websocket.send", "text": "hello"}})',
    "W2": ACCEPTED,
    "W3": ACCEPTED,
    "W4": 'await send({"type": "websocket.close"})\nreturn',
    "W5": 'await send({"type": "websocket.send", "text": "hello"})',
    "W6": 'chosen = "chat" if "chat" in scope["subprotocols"] else None\n'
    'await send({"type": "websocket.accept", "subprotocol": chosen})',
    "W7": 'await send({"type": "websocket.accept", "headers": [(b"set-cookie", b"a=b")]})',
    "W8": 'await send({"type": "websocket.close", "code": 1008, "reason": "log in first"})',
    "W9": 'await send({"type": "websocket.close", "code": 1000})\nreturn',
    "W10": 'try:\n    await talk(receive, send)\nexcept ValueError:\n'
    '    await send({"type": "websocket.close", "code": 1011})',
    "W11": 'if "websocket.http.response" in scope.get("extensions", {}):\n'
    '    await send({"type": "websocket.http.response.start", "status": 401, "headers": []})\n'
    '    await send({"type": "websocket.http.response.body", "body": b"log in first"})\n'
    'else:\n    await send({"type": "websocket.close"})',
    "W12": 'if (message := await receive())["type"] == "websocket.disconnect":\n    return',
    "W13": 'while (message := await receive())["type"] != "websocket.disconnect":\n'
    "    await answer(message, send)",
    "L1": 'await receive()\nawait send({"type": "lifespan.startup.complete"})',
    "L2": 'await receive()\nawait send({"type": "lifespan.startup.complete"})',
    "L3": 'await send({"type": "lifespan.startup.failed", "message": str(error)})\nreturn',
    "L4": "await receive()  # lifespan.shutdown\n"
    'await send({"type": "lifespan.shutdown.complete"})',
    "L5": 'await send({"type": "lifespan.startup.complete"})\n'
    "await receive()  # returns when the server stops",
    "L6": "try:\n    await pool.close()\nexcept OSError as error:\n"
    '    await send({"type": "lifespan.shutdown.failed", "message": str(error)})',
    "L7": 'await send({"type": "lifespan.shutdown.complete"})',
    "L8": 'await send({"type": "lifespan.startup.failed", "message": str(error)})',
    "X1": 'if "http.response.push" in (scope.get("extensions") or {}):\n'
    '    await send({"type": "http.response.push", "path": "/a.css", "headers": []})',
    "X2": f'{_headed("")}\n'
    'await send({"type": "http.response.pathsend", "path": "/srv/files/a.css"})',
}  # fmt: skip

_LOOK = {
    "R4": "The tracer does not know when the client left. Look at the server's log, or capture the "
    "connection, and compare the time with that of http.disconnect in the trace.",
    "R8": "curl -v -H 'Expect: 100-continue' -d hello URL shows when 100 Continue comes.",
    "A1": "curl -i URL shows the headers in their order on the wire; compare with the trace.",
    "A2": "curl -v --raw URL shows transfer-encoding and the chunks; try --http1.0 too.",
    "A3": "curl -v --raw URL: there must be one transfer-encoding, the server's own.",
    "A4": "printf 'HEAD / HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n' | nc HOST PORT must show no body.",
    "A5": "curl -N URL shows each part when it comes; the trace shows when its send() returned.",
    "W-R3": "Send a message in two frames, and a ping, with a client such as websockets: the trace "
    "must show one websocket.receive, and nothing of the ping.",
    "W-A1": "curl -i with the headers of a handshake shows the answer: 403, or 101 with what the "
    "app chose.",
    "W-A2": "Ask a client which close code and reason it got, and compare with the trace.",
    "W-A3": "Ask a client whether its socket was closed when the trace says `return`.",
    "L-4": "Make the app raise in its lifespan: the server must go on to answer requests.",
}  # fmt: skip


def right_form(rule: str) -> str:
    """Return lines of code that keep a rule; nothing for what the sentence itself shows."""
    return _FORMS.get(rule, "")


def where_to_look(rule: str) -> str:
    """Return how a breach is seen that no message shows; nothing if messages do."""
    return _LOOK.get(rule, "")
