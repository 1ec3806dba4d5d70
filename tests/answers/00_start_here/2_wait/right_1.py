"""As asked."""


def waits():
    return {
        "the first answer is complete after (seconds)": 0.3,
        "requests that could not run because another held the loop": ["/slow", "/stream"],
    }
