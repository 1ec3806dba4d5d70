"""What a process that was told to trace itself says on stderr: alarms as they come, then the sum.

It shares the terminal with the server's own log, so it draws nothing that moves.
"""

import os
import sys
from collections.abc import Callable
from contextlib import suppress

from asgi_lab.api import RECORD_VARIABLE
from asgi_lab.commands.diagnoses import print_diagnoses
from asgi_lab.commands.output import make_console, say
from asgi_lab.events import Trace, decode_all
from asgi_lab.files import snapshot
from asgi_lab.recorder import Record, Recorder
from asgi_lab.view.alarms import Alarms
from asgi_lab.view.terminal import render


class Telling:
    """A follower (see `asgi_lab.ticker`) of the recorder of an app that is served here."""

    def __init__(self, recorder: Recorder, say: Callable[[str], None] = say) -> None:
        self._recorder = recorder
        self._say = say
        self._alarms = Alarms()
        self._seen = 0
        """Records of this process."""

    def write(self, first: int, records: list[Record]) -> None:
        """Say what goes wrong, each thing once."""
        if not first:
            self._begin()
        self._seen += len(records)
        for alarm in self._alarms.feed(decode_all(records, first, self._recorder.origin)):
            self._tell(alarm)

    def close(self) -> None:
        """Say what it all amounts to, if anything was served."""
        if self._seen:
            self._seen = 0
            with suppress(Exception):  # stderr is closed; the process ends
                self._sum_up(snapshot(self._recorder))

    def _begin(self) -> None:
        self._alarms, self._seen = Alarms(), 0  # a forked child begins anew
        kept = os.environ.get(RECORD_VARIABLE)
        where = f"into {kept}" if kept else f"{RECORD_VARIABLE}=trace.jsonl keeps it, too"
        self._tell(f"traces what this process serves; {where}")

    def _sum_up(self, trace: Trace) -> None:
        if not any(event.type in ("http", "websocket", "wsgi") for event in trace):
            return  # a worker that was never asked
        console, _ = make_console(sys.stderr)
        with console.capture() as text:
            console.print(render("summary", trace, width=console.width))
            print_diagnoses(console, trace)
        self._tell(f"what was traced:\n\n{text.get()}")

    def _tell(self, line: str) -> None:
        self._say(f"asgi-lab [{os.getpid()}] {line}")
