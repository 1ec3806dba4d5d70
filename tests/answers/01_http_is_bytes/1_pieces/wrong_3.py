"""Looks for Content-Length in one spelling only."""


class BodyParser:
    def __init__(self):
        self.kept, self.left = b"", None

    def feed(self, data):
        self.kept += data
        events = []
        while True:
            if self.left is None:
                if b"\r\n\r\n" not in self.kept:
                    return events
                head, _, self.kept = self.kept.partition(b"\r\n\r\n")
                line, *fields = head.decode().split("\r\n")
                headers = dict(field.split(": ") for field in fields)
                self.left = int(headers.get("Content-Length", 0))
                events.append(("request", *line.split(" ")[:2]))
            if self.left and not self.kept:
                return events
            piece, self.kept = self.kept[: self.left], self.kept[self.left :]
            self.left -= len(piece)
            if piece:
                events.append(("body", piece))
            if not self.left:
                self.left = None
                events.append(("end",))
