"""First decoded, then cut: a coded question mark cuts, too."""

from urllib.parse import unquote


def scope_of(request, client, server):
    raw_path = request.target.partition(b"?")[0]
    path, _, query = unquote(request.target.decode("ascii")).partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": request.http_version.decode("ascii"),
        "method": request.method.decode("ascii"),
        "scheme": "http",
        "path": path,
        "raw_path": raw_path,
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers],
        "client": client,
        "server": server,
    }
