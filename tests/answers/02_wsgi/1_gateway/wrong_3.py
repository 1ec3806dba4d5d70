"""Closes only when all went well."""


def head_of(status, headers):
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def serve(app, environ, write):
    told = []
    chunks = app(environ, lambda status, headers: told.append((status, headers)))
    first = True
    for chunk in chunks:
        if first:
            write(head_of(*told[0]))
            first = False
        write(chunk)
    if first:
        write(head_of(*told[0]))
    if hasattr(chunks, "close"):
        chunks.close()
