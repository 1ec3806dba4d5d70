"""02.1  A gateway that keeps its promises.

Call a WSGI app, and write its response with `write(data)`:

- the head (status line, headers, empty line) before the first chunk, and not before it is known:
  a generator calls `start_response` when its first chunk is asked for;
- each chunk as soon as the app gives it, before the next is asked for;
- after the last one, and also after an exception, call `close()` of what the app returned, if
  there is one.

An exception of the app goes on to whoever called `serve`.

Check yourself: asgi-lab check 02.1
"""


def serve(app, environ, write):
    # TODO: call the app; write the head, then each chunk; close.
    # your code begins
    told = []

    def start_response(status, headers, exc_info=None):
        told[:] = [(status, headers)]

    def write_head():
        status, headers = told.pop()
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "", ""]
        write("\r\n".join(lines).encode("latin-1"))

    chunks = app(environ, start_response)
    try:
        for chunk in chunks:
            if told:
                write_head()
            write(chunk)
        if told:
            write_head()
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    # your code ends
