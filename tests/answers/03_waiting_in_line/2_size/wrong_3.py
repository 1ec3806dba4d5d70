"""A worker for each."""


def workers_for(requests, seconds, within):
    if seconds > within:
        raise ValueError("too slow")
    return requests
