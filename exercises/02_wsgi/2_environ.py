"""02.2  An environ.

Make of a parsed request what a WSGI app wants:

    environ_of("POST", "/caf%C3%A9?q=1", [("Host", "a"), ("Content-Type", "text/plain")], b"hi")

- REQUEST_METHOD; PATH_INFO (without the query, %XX decoded: bytes as latin-1 text); QUERY_STRING
- a header as HTTP_NAME, in capitals, with _ for -; but CONTENT_TYPE and CONTENT_LENGTH as they are
- wsgi.input: a file with the body; CONTENT_LENGTH says how long it is
- SERVER_NAME, SERVER_PORT, wsgi.url_scheme

Check yourself: asgi-lab check 02.2
"""

import io
from urllib.parse import unquote_to_bytes


def environ_of(method, target, headers, body):
    # TODO: a dict.
    raise NotImplementedError("your turn")
