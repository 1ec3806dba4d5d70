"""00.2  Who waits, and for whom.

The same trace as in 00.1. Four requests came at the same moment. Say when the first answer was
complete, in seconds; and which requests could not run because another one held the event loop.

Check yourself: asgi-lab check 00.2
"""


def waits():
    # TODO: a number, and a list of paths.
    raise NotImplementedError("your turn")
