"""Tries one number after the other."""


def workers_for(requests, seconds, within):
    if within < seconds:
        raise ValueError
    workers = 1
    while (requests + workers - 1) // workers * seconds > within:
        workers += 1
    return workers
