"""A class, and next() by hand."""


def head_of(status, headers):
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


class Call:
    def __init__(self, write):
        self.write = write
        self.head = None

    def start_response(self, status, headers, exc_info=None):
        self.head = head_of(status, headers)

    def say(self, chunk):
        if self.head is not None:
            self.write(self.head)
            self.head = None
        if chunk:
            self.write(chunk)


def serve(app, environ, write):
    call = Call(write)
    body = app(environ, call.start_response)
    chunks = iter(body)
    try:
        while (chunk := next(chunks, None)) is not None:
            call.say(chunk)
        call.say(b"")
    finally:
        close = getattr(body, "close", None)
        if close is not None:
            close()
