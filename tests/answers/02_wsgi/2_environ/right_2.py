"""wsgiref fills in what is missing."""

import io
from urllib.parse import unquote_to_bytes, urlsplit
from wsgiref.util import setup_testing_defaults


def environ_of(method, target, headers, body):
    parts = urlsplit(target)
    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers}
    environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE", "")
    environ.pop("HTTP_CONTENT_LENGTH", None)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ["REQUEST_METHOD"] = method
    environ["PATH_INFO"] = str(unquote_to_bytes(parts.path), "latin-1")
    environ["QUERY_STRING"] = parts.query
    environ["wsgi.input"] = io.BytesIO(body)
    setup_testing_defaults(environ)
    return environ
