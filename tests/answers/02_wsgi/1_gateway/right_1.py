"""contextlib closes."""

from contextlib import ExitStack


def head_of(status, headers):
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def serve(app, environ, write):
    head = []

    def start_response(status, headers, exc_info=None):
        head.append(head_of(status, headers))

    with ExitStack() as stack:
        chunks = app(environ, start_response)
        stack.callback(getattr(chunks, "close", lambda: None))
        for chunk in chunks:
            while head:
                write(head.pop())
            write(chunk)
        while head:
            write(head.pop())
