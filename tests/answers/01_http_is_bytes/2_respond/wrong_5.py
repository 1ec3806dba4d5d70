"""Returns text."""

from http import HTTPStatus


def respond(status, headers, body):
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    return "\r\n".join([*lines, "", body.decode()])
