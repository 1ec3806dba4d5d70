"""Puts the headers into a dict."""

from http import HTTPStatus


def respond(status, headers, body):
    fields = {**dict(headers), "content-length": len(body)}
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body
