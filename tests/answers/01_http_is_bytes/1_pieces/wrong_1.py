"""Takes each piece for a whole request, as the naive parser of the chapter does."""


class BodyParser:
    def feed(self, data):
        head, _, body = data.partition(b"\r\n\r\n")
        method, target, *_ = [*head.decode("latin-1").split("\r\n")[0].split(" "), "", ""]
        return [("request", method, target), *([("body", body)] if body else []), ("end",)]
