"""Does not think of what is impossible."""

import math


def workers_for(requests, seconds, within):
    return math.ceil(requests / (within // seconds))
