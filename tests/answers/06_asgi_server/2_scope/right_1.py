"""With urlsplit-like cutting by hand, and percent signs undone by hand."""

import re


def scope_of(request, client, server):
    target = bytes(request.target)
    cut = target.find(b"?") if b"?" in target else len(target)
    path = re.sub(rb"%([0-9A-Fa-f]{2})", lambda m: bytes([int(m[1], 16)]), target[:cut])
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": str(request.http_version, "ascii"),
        "method": str(request.method, "ascii").upper(),
        "scheme": "http",
        "path": path.decode("utf-8"),
        "raw_path": target[:cut],
        "query_string": target[cut + 1 :],
        "root_path": "",
        "headers": [[bytes(name), bytes(value)] for name, value in request.headers],
        "client": list(client),
        "server": list(server),
    }
