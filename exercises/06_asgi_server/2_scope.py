"""06.2  The scope, to the letter.

`scope_of(request, client, server)` makes the scope of an `h11.Request`. It has these keys:

    type, asgi, http_version      "http", {"version": "3.0", "spec_version": "2.4"}, "1.1"
    method, scheme                "GET", "http": both are text
    path                          text: without the query, and decoded ("/café", not "/caf%C3%A9")
    raw_path, query_string        bytes: as they came, before and after the first `?`
    root_path                     "": nothing stands before our paths
    headers                       a list of pairs of bytes, names in lower case
    client, server                as they are given: ("192.0.2.7", 52100), ("127.0.0.1", 8000)

Of the request you need `method`, `target`, `http_version` and `headers`.

Check yourself: asgi-lab check 06.2
"""

from urllib.parse import unquote


def scope_of(request, client, server):
    # TODO: cut the target, decode what is text, and leave alone what is bytes.
    raise NotImplementedError("your turn")
