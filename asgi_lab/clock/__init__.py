"""Two worlds to run an app in: virtual time, and the real clock.

    from asgi_lab.clock import real, virtual

    virtual().run(main)     # main is a coroutine function: exact, at once, the same on any machine
    real().run(main)        # the truth, on this machine

In virtual time `asyncio.sleep` and `time.sleep`, locks, queues, time-outs and worker threads all
wait in the same simulated time; the app's code is unchanged. See `asgi_lab.clock.world` for the
laws.
"""

from asgi_lab.clock.cpu import cpu
from asgi_lab.clock.errors import Deadlock, Horizon, Refused, Stall, VirtualTimeError
from asgi_lab.clock.worlds import Real, Virtual, real, virtual

__all__ = [
    "Deadlock",
    "Horizon",
    "Real",
    "Refused",
    "Stall",
    "Virtual",
    "VirtualTimeError",
    "cpu",
    "real",
    "virtual",
]
