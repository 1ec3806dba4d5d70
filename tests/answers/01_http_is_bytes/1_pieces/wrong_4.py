"""Forgets what follows the body."""


class BodyParser:
    def __init__(self):
        self.kept, self.left = b"", None

    def feed(self, data):
        self.kept += data
        if self.left is None:
            if b"\r\n\r\n" not in self.kept:
                return []
            head, _, self.kept = self.kept.partition(b"\r\n\r\n")
            line, *fields = head.decode().split("\r\n")
            headers = dict(field.lower().split(": ") for field in fields)
            self.left = int(headers.get("content-length", 0))
            return [("request", *line.split(" ")[:2]), *self.body()]
        return self.body()

    def body(self):
        piece, self.kept = self.kept[: self.left], b""
        self.left -= len(piece)
        events = [("body", piece)] if piece else []
        if not self.left:
            self.left = None
            events.append(("end",))
        return events
