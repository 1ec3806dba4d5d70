"""Bytes from the beginning."""

from http import HTTPStatus


def respond(status, headers, body):
    out = b"HTTP/1.1 %d %s\r\n" % (status, HTTPStatus(status).phrase.encode())
    for name, value in [("Content-Length", str(len(body))), *headers]:
        out += b"%s: %s\r\n" % (name.encode(), value.encode())
    return out + b"\r\n" + body
