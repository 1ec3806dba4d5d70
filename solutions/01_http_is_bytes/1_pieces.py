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
        # your code begins
        while True:
            if self.left is None:
                head, found, rest = self.kept.partition(b"\r\n\r\n")
                if not found:
                    break
                line, *fields = head.decode("latin-1").split("\r\n")
                method, target, _ = line.split(" ")
                headers = dict(field.lower().split(":", 1) for field in fields)
                self.kept, self.left = rest, int(headers.get("content-length", 0))
                events.append(("request", method, target))
            elif self.left == 0:
                self.left = None
                events.append(("end",))
            elif self.kept:
                piece, self.kept = self.kept[: self.left], self.kept[self.left :]
                self.left -= len(piece)
                events.append(("body", piece))
            else:
                break
        # your code ends
        return events
