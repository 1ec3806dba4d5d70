"""Does not count the empty one at the end."""


def answers():
    return {
        "the first message that /stream sends": "http.response.start",
        "how many http.response.body it sends": 5,
        "the path that holds the event loop": "/blocking",
    }
