"""Waits for the whole body, and hands it on at once."""


class BodyParser:
    def __init__(self):
        self.kept = b""

    def feed(self, data):
        self.kept += data
        events = []
        while b"\r\n\r\n" in self.kept:
            head, _, rest = self.kept.partition(b"\r\n\r\n")
            line, *fields = head.decode().split("\r\n")
            headers = dict(field.lower().split(": ") for field in fields)
            length = int(headers.get("content-length", 0))
            if len(rest) < length:
                break
            method, target, _ = line.split(" ")
            events += [("request", method, target), ("body", rest[:length]), ("end",)]
            self.kept = rest[length:]
        return events
