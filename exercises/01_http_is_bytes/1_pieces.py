"""01.1  Survive split reads.

A network delivers bytes in pieces, cut anywhere. Write a parser for requests with a head and a
body. `feed(data)` takes the next piece, and returns a list of what is known by then:

    ("request", method, target)    when the head is complete
    ("body", data)                 for bytes of the body, as soon as they are there
    ("end",)                       when the request is complete

The header `Content-Length` says how long the body is; without it there is none. Names of headers
may be written in any case. Another request may follow in the same piece.

Check yourself: asgi-lab check 01.1
"""


class BodyParser:
    def __init__(self):
        self.kept = b""
        self.left = None  # bytes of the body still to come; None: a head comes next

    def feed(self, data):
        self.kept += data
        events = []
        # TODO: take from what is kept: a head, bytes of a body, an end; as long as there is any.
        raise NotImplementedError("your turn")
        return events
