"""01.2  Answers are bytes, too.

Write the bytes of a whole response: a status line such as `HTTP/1.1 200 OK`, the headers (a list of
pairs of text), a `content-length`, the empty line, the body.

    respond(200, [("content-type", "text/plain")], b"hello")

The reason ("OK", "Not Found") is in `http.HTTPStatus(status).phrase`.

Check yourself: asgi-lab check 01.2
"""

from http import HTTPStatus


def respond(status, headers, body):
    # TODO: bytes, with \r\n after each line.
    # your code begins
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers]
    lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
    # your code ends
