"""Closes in any case, and swallows the exception."""


def head_of(status, headers):
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def serve(app, environ, write):
    told = []
    chunks = app(environ, lambda status, headers: told.append((status, headers)))
    try:
        for chunk in chunks:
            if told:
                write(head_of(*told.pop()))
            write(chunk)
        if told:
            write(head_of(*told.pop()))
    except Exception:
        pass
    if hasattr(chunks, "close"):
        chunks.close()
