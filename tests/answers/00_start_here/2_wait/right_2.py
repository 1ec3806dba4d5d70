"""The one that was not even let in could not run either."""


def waits():
    return {
        "the first answer is complete after (seconds)": 0.3,
        "requests that could not run because another held the loop": [
            "GET /stream",
            "GET /slow",
            "GET /thread",
        ],
    }
