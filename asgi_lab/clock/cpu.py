"""Work for the processor, of a known length."""

from asgi_lab.clock import genuine
from asgi_lab.clock.actor import this_actor


def cpu(seconds: float) -> None:
    """Compute for so many seconds: virtual ones in a virtual world, else real ones.

    The interpreter is held as by any Python code, and offered to other threads every 5 ms: so two
    threads take twice as long, and two processes do not. Raises ValueError if it is negative.
    """
    if seconds < 0:
        raise ValueError(f"cpu takes a number of seconds that is not negative, got {seconds}")
    actor = this_actor()
    if actor is not None:
        actor.world.cpu(seconds)
        return
    end = genuine.thread_time() + seconds
    while genuine.thread_time() < end:
        sum(range(1000))
