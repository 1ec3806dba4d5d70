"""Writes the head with the first chunk, and there may be none."""


def head_of(status, headers):
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def serve(app, environ, write):
    told = []
    chunks = app(environ, lambda status, headers: told.append((status, headers)))
    try:
        for number, chunk in enumerate(chunks):
            if number == 0:
                write(head_of(*told[0]))
            write(chunk)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
