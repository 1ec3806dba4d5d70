"""h11 writes it."""

from http import HTTPStatus

import h11


def respond(status, headers, body):
    server = h11.Connection(h11.SERVER)
    server.receive_data(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    server.next_event()
    fields = [*headers, ("content-length", str(len(body)))]
    head = h11.Response(status_code=status, headers=fields, reason=HTTPStatus(status).phrase)
    return server.send(head) + server.send(h11.Data(data=body)) + server.send(h11.EndOfMessage())
