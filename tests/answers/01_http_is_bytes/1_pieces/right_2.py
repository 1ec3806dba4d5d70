"""h11 does the work."""

import h11


class BodyParser:
    def __init__(self):
        self.connection = h11.Connection(h11.SERVER)

    def feed(self, data):
        self.connection.receive_data(data)
        events = []
        while True:
            if self.connection.their_state is h11.DONE:
                rest = self.connection.trailing_data[0]
                self.connection = h11.Connection(h11.SERVER)
                if rest:  # nothing would mean: the client has hung up
                    self.connection.receive_data(rest)
            event = self.connection.next_event()
            if event is h11.NEED_DATA:
                return events
            if isinstance(event, h11.Request):
                events.append(("request", event.method.decode(), event.target.decode()))
            elif isinstance(event, h11.Data):
                events.append(("body", bytes(event.data)))
            elif isinstance(event, h11.EndOfMessage):
                events.append(("end",))
