"""Half a worker."""


def workers_for(requests, seconds, within):
    return requests / (within / seconds)
