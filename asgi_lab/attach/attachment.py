"""The command's side of `asgi-lab attach PID`: code is run in the process, and records come back.

    with Attachment(pid, watcher, order) as attachment:
        attachment.wait()
    attachment.trace

Python 3.14 can run a script in another of its processes (`sys.remote_exec`, PEP 768): in its main
thread, the next time that runs any Python code.
"""

import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import asgi_lab
from asgi_lab.adapters.order import SessionError, Watcher
from asgi_lab.adapters.reception import Reception
from asgi_lab.recorder import LIMIT

PATIENCE = 2.0
"""Seconds after which it is said what is being waited for."""

PERIOD = 0.05
"""Seconds between two looks at whether something has happened."""

INSTEAD = "start it with ASGI_LAB_TRACE=1 in its environment instead"

SCRIPT = """\
import sys, threading
def work():
    try:
        from asgi_lab.attach import inside
    except ImportError:
        sys.path.append({root!r})
        from asgi_lab.attach import inside
    inside.{call}({argument!r})
threading.Thread(target=work, name="asgi-lab", daemon=True).start()
"""


@dataclass(frozen=True, slots=True)
class Wishes:
    """How to trace (see `asgi_lab.trace`), and where to."""

    layers: bool = True
    rules: bool = True
    watchdog: float | None = 0.1
    redact: bool = True
    max_events: int = LIMIT
    record: Path | None = None


class Attachment(Reception):
    """A running process, traced from `__enter__` to `__exit__`."""

    def __init__(self, pid: int, watcher: Watcher, wishes: Wishes) -> None:
        if not hasattr(sys, "remote_exec"):
            raise SessionError(
                "asgi-lab attach needs Python 3.14 or newer, here and in the process; this is "
                f"Python {sys.version.split()[0]}: {INSTEAD}"
            )
        super().__init__(
            watcher, self._on_report, max_events=wishes.max_events, record=wishes.record
        )
        self.pid = pid
        self._wishes = wishes
        self._pids: list[int] = []
        """The processes in which we are."""
        self._reports: list[str] = []

    @property
    def title(self) -> str:
        """What is traced."""
        python = self.collector.header.get("python", "")
        pids = " and ".join(map(str, self._pids))
        return f"asgi-lab is attached to process {pids} (Python {python})  (Ctrl-C detaches)"

    def __enter__(self) -> "Attachment":
        self.open()
        self.ticker.start()
        try:
            self._attach()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    def wait(self) -> None:
        """Wait until the process has ended."""
        while any(map(alive, self._pids)):
            time.sleep(PERIOD)
        self.say(f"process {self.pid} has ended")

    def close(self) -> None:
        """Leave the process as it was, and take in all that was recorded."""
        for pid in self._pids:
            with suppress(OSError, RuntimeError):
                self._run_in(pid, "detach", self.collector.address)
        self._pids.clear()
        self.finish()

    def header(self) -> dict[str, object]:
        """Return what is known of the process."""
        return {**super().header(), "target": f"process {self.pid}"}

    def _attach(self) -> None:
        """Attach to the process; if it serves nothing itself, to those that it has started."""
        self._ask(self.pid)
        self._hear()
        if not self.collector.processes:
            self._pids.clear()
            for child in children(self.pid):
                with suppress(SessionError):
                    self._ask(child)
            self._hear()
        if not self.collector.processes:
            raise SessionError(f"nothing to trace in process {self.pid}: {self._reports[0]}")

    def _ask(self, pid: int) -> None:
        wishes = self._wishes
        order = {
            "address": self.collector.address,
            "key": self.collector.key.hex(),
            "layers": wishes.layers,
            "rules": wishes.rules,
            "watchdog": wishes.watchdog,
            "redact": wishes.redact,
            "max_events": wishes.max_events,
        }
        try:
            self._run_in(pid, "attach", order)
        except PermissionError:
            raise SessionError(
                f"not allowed to look into process {pid}: run this as its user, and on Linux with "
                f"the right to trace it (sudo, or CAP_SYS_PTRACE); or {INSTEAD}"
            ) from None
        except (ProcessLookupError, FileNotFoundError):
            raise SessionError(f"there is no process {pid}") from None
        except (OSError, RuntimeError) as error:
            raise SessionError(
                f"process {pid} cannot be attached to: {error}. It has to be Python "
                f"{sys.version_info.major}.{sys.version_info.minor}, as this is; or {INSTEAD}"
            ) from None
        self._pids.append(pid)

    def _run_in(self, pid: int, call: str, argument: object) -> None:
        """Have a function of `asgi_lab.attach.inside` called in a process, soon."""
        os.kill(pid, 0)  # is it there?
        root = str(Path(asgi_lab.__file__).parents[1])
        script = SCRIPT.format(root=root, call=call, argument=argument)
        file = Path(self.collector.address).with_name(f"{call}-{pid}.py")
        file.touch(mode=0o600)
        file.write_text(script)
        with suppress(OSError):  # not as root: then it is of our own user, or not ours to enter
            owner = os.stat(f"/proc/{pid}").st_uid
            for path in (file, Path(self.collector.address), file.parent):
                os.chown(path, owner, -1)
        sys.remote_exec(pid, str(file))  # type: ignore[attr-defined, unused-ignore]

    def _hear(self) -> None:
        """Wait until each process has answered."""
        began, said = time.monotonic(), False
        while len(self._reports) + self.collector.processes < len(self._pids):
            gone = [pid for pid in self._pids if not alive(pid)]
            if gone:
                raise SessionError(f"process {gone[0]} has ended", 1)
            if not said and time.monotonic() - began > PATIENCE:
                self.say(
                    f"process {self.pid} has not run any Python yet: its main thread is held, or "
                    "waits for something to do (a request wakes it)"
                )
                said = True
            time.sleep(PERIOD)

    def _on_report(self, kind: str, text: str) -> None:
        self._reports.append(text)


def alive(pid: int) -> bool:
    """Return whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def children(pid: int) -> list[int]:
    """Return the processes that a process has started, where the system tells them (Linux)."""
    found: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, file.read_text().split())
    return sorted(found)
