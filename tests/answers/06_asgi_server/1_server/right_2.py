"""By hand, without h11: lines, lengths and chunks. Plain and strict, and no limits."""

import asyncio
import re

LINE = re.compile(rb"[A-Z]+ /[^ ]* HTTP/1\.[01]")


class Gone(Exception):
    pass


class Request:
    def __init__(self, reader, writer, line, headers):
        self.reader, self.writer = reader, writer
        self.method, self.target, self.version = line.split(b" ")
        self.headers = headers
        fields = dict(headers)
        self.chunked = fields.get(b"transfer-encoding", b"").lower() == b"chunked"
        self.left = int(fields.get(b"content-length", 0))
        self.keep = fields.get(b"connection", b"").lower() != b"close"
        self.heard_all = False
        self.started = self.done = False
        self.frame = False

    async def body(self):
        if self.chunked:
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            part = (await self.reader.readexactly(size + 2))[:-2]
            self.heard_all = size == 0
        else:
            part = await self.reader.read(self.left) if self.left else b""
            if self.left and not part:
                raise Gone
            self.left -= len(part)
            self.heard_all = self.left == 0
        return part

    async def receive(self):
        if self.heard_all or self.done:
            while not self.done and not self.reader.at_eof():
                await asyncio.sleep(0.01)
            return {"type": "http.disconnect"}
        try:
            part = await self.body()
        except (Gone, asyncio.IncompleteReadError):
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part, "more_body": not self.heard_all}

    async def send(self, message):
        if message["type"] == "http.response.start":
            names = {name for name, _ in message["headers"]}
            self.frame = b"content-length" not in names
            head = [b"HTTP/1.1 %d Whatever" % message["status"]]
            head += [name + b": " + value for name, value in message["headers"]]
            head += [b"transfer-encoding: chunked"] * self.frame
            self.writer.write(b"\r\n".join([*head, b"", b""]))
            self.started = True
        else:
            body, more = message["body"], message.get("more_body", False)
            if self.frame and body:
                body = b"%x\r\n%b\r\n" % (len(body), body)
            self.writer.write(body + b"0\r\n\r\n" * (self.frame and not more))
            self.done = not more
        await self.writer.drain()


async def refuse(writer, status):
    writer.write(b"HTTP/1.1 %d No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status)
    await writer.drain()


async def serve(app, reader, writer):
    try:
        while await one(app, reader, writer):
            pass
    except (Gone, ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def one(app, reader, writer):
    head = await reader.readuntil(b"\r\n\r\n")
    line, *fields = head[:-4].split(b"\r\n")
    if not LINE.fullmatch(line):
        await refuse(writer, 400)
        return False
    pairs = [field.split(b":", 1) for field in fields]
    headers = [(name.lower(), value.strip()) for name, value in pairs]
    request = Request(reader, writer, line, headers)
    path, _, query = request.target.partition(b"?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": request.version.decode()[5:],
        "method": request.method.decode(),
        "path": path.decode(),
        "raw_path": path,
        "query_string": query,
        "headers": headers,
    }
    try:
        await app(scope, request.receive, request.send)
    except Exception:
        if request.started:
            return False
    if not request.started:
        await refuse(writer, 500)
        return False
    while not request.heard_all:
        await request.body()
    return request.done and request.keep
