"""Writes the head before the first chunk is asked for."""


def head_of(status, headers):
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def serve(app, environ, write):
    told = [("200 OK", [])]

    def start_response(status, headers):
        told[:] = [(status, headers)]

    chunks = app(environ, start_response)
    write(head_of(*told[0]))
    for chunk in chunks:
        write(chunk)
    if hasattr(chunks, "close"):
        chunks.close()
