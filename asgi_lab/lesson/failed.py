"""What a check says when it fails: what was expected, what the trace shows, and where to look."""

from asgi_lab.events import Event, Trace


class Failed(AssertionError):
    """An expectation that a trace does not meet.

    `event` is the one to look at, `advice` what a learner who did this has probably thought.
    """

    def __init__(
        self,
        expected: str,
        shown: str,
        *,
        event: Event | None = None,
        trace: Trace | None = None,
        advice: str = "",
    ) -> None:
        super().__init__(expected, shown)
        self.expected = expected
        self.shown = shown
        self.event = event
        self.trace = trace
        self.advice = advice

    def __str__(self) -> str:
        lines = [f"expected   {self.expected}", f"the trace  {self.shown}"]
        return "\n".join([*lines, *([self.advice] if self.advice else [])])


def never(expected: str, shown: str, advice: str = "") -> Failed:
    """Return a failure of something that left no trace to look at."""
    return Failed(expected, shown, advice=advice)
