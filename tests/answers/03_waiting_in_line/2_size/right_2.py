"""Tries one number after the other."""

from itertools import count


def workers_for(requests, seconds, within):
    if within < seconds:
        raise ValueError
    for workers in count(1):
        rounds = (requests + workers - 1) // workers
        if rounds * seconds <= within:
            return workers
