"""What tracing costs: measured here and now, on this machine, in a few milliseconds."""

from time import perf_counter_ns
from typing import Any

from asgi_lab.recorder import Recorder
from asgi_lab.tracer import traced_door

ROUNDS = 2000


def event_cost() -> float:
    """Return the nanoseconds that noting one event adds to the app, draining not included."""

    async def send(message: Any) -> None: ...

    async def receive() -> Any: ...

    recorder = Recorder()
    _, traced = traced_door(receive, send, recorder, 0)
    message = {"type": "http.response.body", "body": b"x", "more_body": True}

    def time(function: Any) -> int:
        began = perf_counter_ns()
        for _ in range(ROUNDS):
            try:
                function(message).send(None)
            except StopIteration:
                pass
        return perf_counter_ns() - began

    bare = min(time(send) for _ in range(3))
    noted = min(time(traced) for _ in range(3))
    return max(noted - bare, 0) / ROUNDS / 2
