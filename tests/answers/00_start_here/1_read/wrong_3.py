"""Counts lines, not messages."""


def answers():
    return {
        "the first message that /stream sends": "http.response.start",
        "how many http.response.body it sends": 3,
        "the path that holds the event loop": "/blocking",
    }
