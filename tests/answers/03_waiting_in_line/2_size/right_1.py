"""With math."""

import math


def workers_for(requests, seconds, within):
    if seconds > within:
        raise ValueError("it cannot be done")
    return math.ceil(requests / math.floor(within / seconds))
