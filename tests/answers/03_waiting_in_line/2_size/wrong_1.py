"""All the work, divided by the time."""

import math


def workers_for(requests, seconds, within):
    if seconds > within:
        raise ValueError("too slow")
    return math.ceil(requests * seconds / within)
