"""A generator keeps its place by itself."""

import re


class BodyParser:
    def __init__(self):
        self.buffer = bytearray()
        self.events = []
        self.steps = self.read()

    def feed(self, data):
        self.buffer += data
        next(self.steps)
        events, self.events = self.events, []
        return events

    def read(self):
        while True:
            while b"\r\n\r\n" not in self.buffer:
                yield
            head, _, rest = bytes(self.buffer).partition(b"\r\n\r\n")
            self.buffer = bytearray(rest)
            method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
            self.events.append(("request", method, target))
            found = re.search(rb"(?im)^content-length: *(\d+)", head)
            left = int(found[1]) if found else 0
            while left:
                if not self.buffer:
                    yield
                piece = bytes(self.buffer[:left])
                del self.buffer[:left]
                left -= len(piece)
                if piece:
                    self.events.append(("body", piece))
            self.events.append(("end",))
