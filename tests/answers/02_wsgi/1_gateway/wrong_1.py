"""The `respond` of the chapter: joins all, and closes nothing."""


def head_of(status, headers):
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def serve(app, environ, write):
    told = []
    chunks = app(environ, lambda status, headers: told.append((status, headers)))
    body = b"".join(chunks)
    write(head_of(*told[0]))
    write(body)
