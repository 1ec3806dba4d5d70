"""Takes the first arrow of all for one that is sent."""


def answers():
    return {
        "the first message that /stream sends": "http.request",
        "how many http.response.body it sends": 6,
        "the path that holds the event loop": "/blocking",
    }
