"""The command as people run it: `asgi-lab ...` as a child process, its output read line by line."""

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

PATIENCE = 30.0
"""Seconds after which a test has failed. Nothing waits so long when all is well."""


def environ(**extra: str) -> dict[str, str]:
    """The environment without what changes how a terminal is seen."""
    hidden = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TERM", "ASGI_LAB_RECORD")
    kept = {key: value for key, value in os.environ.items() if key not in hidden}
    return {**kept, "TERM": "xterm", **extra}


class Command:
    """A running `python -m asgi_lab`. What it prints can be waited for; at the end it is killed."""

    def __init__(
        self,
        *args: object,
        cwd: Path,
        program: str = sys.executable,
        start: Sequence[str] = ("-m", "asgi_lab"),
        **env: str,
    ) -> None:
        self.process = subprocess.Popen(
            [program, *start, *map(str, args)],
            cwd=cwd,
            env=environ(**env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            process_group=0,
        )
        self.lines: list[str] = []
        self._new: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._seen: list[str] = []
        self._read: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self._readers = [
            threading.Thread(target=self._reader, args=(name,), daemon=True) for name in self._read
        ]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> "Command":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.finish()

    def _reader(self, name: str) -> None:
        for line in getattr(self.process, name):
            self._read[name].append(line)
            self._new.put(line.rstrip("\n"))
        self._new.put(None)

    @property
    def stdout(self) -> str:
        return "".join(self._read["stdout"])

    @property
    def stderr(self) -> str:
        return "".join(self._read["stderr"])

    def wait_for(
        self, pattern: str, meanwhile: Callable[[], object] | None = None
    ) -> re.Match[str]:
        """Wait for a line, of either stream, in which the pattern is found; return the match.

        `meanwhile` is called again and again, until it is found.
        """
        until = time.monotonic() + PATIENCE
        while True:
            for number, line in enumerate(self._seen):
                if found := re.search(pattern, line):
                    del self._seen[: number + 1]
                    return found
            self._seen.clear()
            if meanwhile:
                meanwhile()
            try:
                line = self._new.get(timeout=0.5 if meanwhile else PATIENCE)
            except queue.Empty:
                if meanwhile and time.monotonic() < until:
                    continue
                line = None
            if line is None and (self.process.poll() is not None or self._new.empty()):
                raise AssertionError(f"never said {pattern!r}:\n{self.stdout}\n{self.stderr}")
            self._seen.append(line or "")

    @property
    def url(self) -> str:
        """Wait until it says where it serves."""
        return self.wait_for(r" at (http://\S+)")[1]

    def signal(self, number: signal.Signals, group: bool = False) -> None:
        (os.killpg if group else os.kill)(self.process.pid, number)

    def finish(self) -> int:
        """Wait for its end, read all that it said, and return the exit code."""
        code = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        return code


def run(*args: object, cwd: Path, **env: Any) -> Command:
    """Run the command to its end; `.process.returncode`, `.stdout` and `.stderr` tell."""
    command = Command(*args, cwd=cwd, **env)
    command.finish()
    return command


def run_trace(*args: object, cwd: Path, **env: Any) -> dict[str, Any]:
    """Run `trace ... --format json` and return the report; it must end well."""
    command = run("trace", *args, "--format", "json", cwd=cwd, **env)
    assert command.process.returncode == 0, command.stderr
    report: dict[str, Any] = json.loads(command.stdout)
    return report


def requests_of(report: dict[str, Any]) -> list[tuple[str, int | None, str]]:
    """Path, status and outcome of each request of a report, in order of arrival."""
    connections = [c for c in report["connections"] if c["type"] != "lifespan"]
    return [(c["path"], c["status"], c["outcome"]) for c in connections]


def events_of(report: dict[str, Any], path: str, layer: int = 0) -> list[dict[str, Any]]:
    """The events of the first connection to a path."""
    conn = next(c["conn"] for c in report["connections"] if c["path"] == path)
    return [e for e in report["events"] if e["conn"] == conn and e["layer"] == layer]


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not yet waited for does not."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        os.kill(pid, 0)
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def wait_gone(pids: Iterable[int], seconds: float = PATIENCE) -> None:
    """Wait until these processes, which are not ours to wait for, have ended."""
    for pid in pids:
        for _ in knocks(seconds):
            if not alive(pid):
                break
        else:
            raise AssertionError(f"process {pid} is still there")


def knocks(seconds: float) -> Iterator[None]:
    # Nothing tells of the end of another's child: one has to look.
    event = threading.Event()
    for _ in range(round(seconds / 0.02)):
        yield
        event.wait(0.02)
