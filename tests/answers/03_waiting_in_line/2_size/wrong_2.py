"""Rounds down."""


def workers_for(requests, seconds, within):
    each = within // seconds
    if not each:
        raise ValueError("too slow")
    return requests // each
