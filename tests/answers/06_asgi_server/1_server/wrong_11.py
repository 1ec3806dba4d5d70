"""Not async: it is called, and it is over."""

from urllib.parse import unquote

import h11


def scope_of(request):
    path, _, query = request.target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": request.http_version.decode(),
        "method": request.method.decode(),
        "path": unquote(path.decode()),
        "query_string": query,
        "headers": list(request.headers),
    }


def serve(app, reader, writer):
    conn = h11.Connection(h11.SERVER)
    conn.receive_data(reader.read(65536))
    app(scope_of(conn.next_event()), None, None)
