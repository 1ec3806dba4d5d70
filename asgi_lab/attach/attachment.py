"""The command's side of `asgi-lab attach PID`: code is run in the process, and records come back.

    with Attachment(pid, watcher, order) as attachment:
        attachment.wait()
    attachment.trace

Python 3.14 can run a script in another of its processes (`sys.remote_exec`, PEP 768): in its main
thread, the next time that runs any Python code.
"""

import os
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import asgi_lab
from asgi_lab.adapters.order import SessionError, Watcher, Wishes
from asgi_lab.adapters.reception import Reception

PATIENCE = 2.0
"""Seconds after which it is said what is being waited for."""

GRACE = 1.0
"""Seconds that the others have once one of several processes has answered."""

PERIOD = 0.05
"""Seconds between two looks at whether something has happened."""

WAITING = (
    "process {pid} has not run any Python yet: its main thread is held, or waits for something to "
    "do (a request wakes it); Ctrl-C gives up"
)

INSTEAD = "start it with ASGI_LAB_TRACE=1 in its environment instead"

SCRIPT = """\
import os, sys, threading
def work():
    try:
        from asgi_lab.attach import inside
    except ImportError:
        sys.path.append({root!r})
        from asgi_lab.attach import inside
    inside.{call}({argument!r})
os.unlink({file!r})
threading.Thread(target=work, name="asgi-lab", daemon=True).start()
"""

NOTHING = "import os; os.unlink({file!r})"
"""What a process runs whose main thread wakes only when we are gone."""


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
        self._asked: dict[int, Path] = {}
        """The processes that were asked, and the script that each is to run."""
        self._reports: list[str] = []

    @property
    def title(self) -> str:
        """What is traced."""
        pids = " and ".join(map(str, sorted(self.collector.pids)))
        return f"asgi-lab is attached to process {pids}  (Ctrl-C detaches)"

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
        while any(map(alive, self.collector.pids)):
            time.sleep(PERIOD)
        self.say(f"process {self.pid} has ended")

    def close(self) -> None:
        """Leave the process as it was, and take in all that was recorded."""
        for pid, file in self._asked.items():
            if pid in self.collector.pids:
                with suppress(OSError, RuntimeError):
                    self._run_in(pid, "detach", self.collector.address)
            elif file.exists():  # not run yet
                file.write_text(NOTHING.format(file=str(file)))
        self._asked.clear()
        self.finish()

    def header(self) -> dict[str, object]:
        """Return what is known of the process."""
        server = self.collector.header.get("server")
        return {**super().header(), "target": f"process {self.pid}", "server": server}

    def _attach(self) -> None:
        """Attach to the process, and to those it has started: it may only look after them."""
        if b"granian" in command_of(self.pid):
            raise SessionError(
                "Granian cannot be attached to: its main thread runs no Python, and its app is "
                f"where Python cannot reach it: {INSTEAD}"
            )
        self._ask(self.pid)
        for child in children(self.pid):
            with suppress(SessionError):
                self._ask(child)
        began, told, first = time.monotonic(), False, 0.0
        while len(self.collector.pids) + len(self._reports) < len(self._asked):
            now = time.monotonic()
            if not any(map(alive, self._asked)):
                raise SessionError(f"process {self.pid} has ended", 1)
            if self.collector.pids:
                first = first or now
                if now - first > GRACE:
                    break  # the others look after them, and sleep
            elif not told and now - began > PATIENCE:
                told = True
                self.say(WAITING.format(pid=self.pid))
            time.sleep(PERIOD)
        if not self.collector.pids:
            raise SessionError(f"nothing to trace in process {self.pid}: {self._reports[-1]}")

    def _ask(self, pid: int) -> None:
        order = {
            "address": self.collector.address,
            "key": self.collector.key.hex(),
            **self._wishes.elsewhere,
        }
        try:
            self._asked[pid] = self._run_in(pid, "attach", order)
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

    def _run_in(self, pid: int, call: str, argument: object) -> Path:
        """Have a function of `asgi_lab.attach.inside` called in a process, soon.

        Return the script, which removes itself when it runs.
        """
        os.kill(pid, 0)  # is it there?
        handle, name = tempfile.mkstemp(prefix="asgi-lab-", suffix=".py")
        root = str(Path(asgi_lab.__file__).parents[1])
        with open(handle, "w") as script:
            script.write(SCRIPT.format(root=root, call=call, argument=argument, file=name))
        file, socket = Path(name), Path(self.collector.address)
        try:
            with suppress(OSError):  # not as root: then the process is our own user's
                owner = os.stat(f"/proc/{pid}").st_uid
                for path in (file, socket, socket.parent):
                    os.chown(path, owner, -1)
            sys.remote_exec(pid, name)  # type: ignore[attr-defined, unused-ignore]
        except BaseException:
            file.unlink()
            raise
        return file

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


def command_of(pid: int) -> bytes:
    """Return the command line of a process, where the system tells it (Linux)."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
