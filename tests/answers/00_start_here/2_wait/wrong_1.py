"""Reads milliseconds."""


def waits():
    return {
        "the first answer is complete after (seconds)": 300,
        "requests that could not run because another held the loop": ["/stream", "/slow"],
    }
