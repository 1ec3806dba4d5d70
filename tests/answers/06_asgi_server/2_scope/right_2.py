"""A class that is a dict; headers from h11's raw items."""

from urllib.parse import unquote_to_bytes


class Scope(dict):
    pass


def scope_of(request, client, server):
    raw, *rest = request.target.split(b"?", maxsplit=1)
    scope = Scope(type="http", scheme="http", root_path="", client=client, server=server)
    scope.update(asgi={"version": "3.0", "spec_version": "2.0"}, extensions={})
    scope["method"] = request.method.decode()
    scope["http_version"] = request.http_version.decode()
    scope["path"] = unquote_to_bytes(raw).decode()
    scope["raw_path"], scope["query_string"] = raw, b"".join(rest)
    scope["headers"] = [(name.lower(), value) for name, value in request.headers.raw_items()]
    return scope
