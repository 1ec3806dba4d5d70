"""A trace as a file: JSON lines, a header first, then an event a line.

    {"asgi_lab": 1, "started": 1764000000000000000, "server": "uvicorn 0.54.0", ...}
    [1200,"send",7,0,3,{"type":"http.response.body","body":"Hello"}]

An event is `[t, kind, conn, layer, task, data]`: nanoseconds since the trace began, then the
fields of `asgi_lab.Event`; empty data are left out, and `seq` is the line's number. The file
streams, greps, and survives a crash: a torn last line is skipped and reported. A name that ends
in `.gz` is compressed. Several files (one a process) are merged by their wall clocks.
"""

import gzip
import io
import itertools
import json
import os
import platform
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from json.encoder import encode_basestring_ascii as quoted
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from asgi_lab import __version__
from asgi_lab.atoms import PREVIEW
from asgi_lab.events import EMPTY, Event, Trace, data_of, decode_all, text
from asgi_lab.merge import Numbering
from asgi_lab.recorder import Record, Recorder

FORMAT = 1
"""The version of the file format that this module writes, and the newest it reads."""

SERVERS = ("uvicorn", "hypercorn", "daphne", "granian", "gunicorn")
FRAMEWORKS = ("fastapi", "starlette", "django", "channels", "quart", "flask", "litestar", "falcon",
              "sanic", "blacksheep", "muffin", "nexios", "bottle")  # fmt: skip


class TraceFileError(Exception):
    """A file is not a trace, is corrupt, or is of a newer version. The message says which."""


def snapshot(recorder: Recorder) -> Trace:
    """Return what a recorder has noted so far as an immutable trace."""
    first, records = recorder.read()
    events = decode_all(records, first, recorder.origin)
    events.sort(key=_time)
    return Trace(tuple(events), MappingProxyType(header_of(recorder)), first)


def header_of(recorder: Recorder) -> dict[str, Any]:
    """Return the first line of a trace file as a dict: versions, clock and limits."""
    return {
        "asgi_lab": FORMAT,
        "version": __version__,
        "started": recorder.started,
        "pid": os.getpid(),
        "python": platform.python_version(),
        "platform": sys.platform,
        "server": next(iter(_versions(SERVERS)), None),
        "frameworks": _versions(FRAMEWORKS),
        "limits": {"events": recorder.limit, "preview": PREVIEW},
        "redacted": recorder.redact,
    }


def _versions(names: Iterable[str]) -> list[str]:
    from importlib.metadata import PackageNotFoundError, version

    found = []
    for name in names:
        if name in sys.modules:
            try:
                found.append(f"{name} {version(name)}")
            except PackageNotFoundError:
                found.append(name)
    return found


def encode_records(records: Iterable[Record], origin: int) -> Iterator[str]:
    """Yield the line of each record. Equal to `encode_event` of the decoded event, but faster."""
    for record in records:
        t, kind, door, task = record[:4]
        size = len(record)
        if size == 5 and type(record[4]) is int:
            data = f',{{"took":{t - record[4]}}}'
        elif size == 9:
            data = f",{{{_payload(record[4:])}}}"
        elif size == 10:
            data = f',{{"took":{t - record[4]},{_payload(record[5:])}}}'
        elif size == 4:
            data = ""
        else:
            data = "," + dumps(dict(data_of(kind, t, record[4:])))
        yield f'[{t - origin},"{kind}",{door >> 8},{door & 255},{task}{data}]\n'


def _payload(facts: Sequence[Any]) -> str:
    kind, field, preview, length, more = facts
    extra = "" if length == len(preview) else f',"length":{length}'
    if more:
        extra += ',"more_body":true'
    return f'"type":{quoted(kind)},{quoted(field)}:{quoted(text(preview))}{extra}'


def encode_event(event: Event) -> str:
    """Return an event's line."""
    data = "," + dumps(dict(event.data)) if event.data else ""
    _, t, conn, layer, kind, task, _ = event
    return f'[{t},"{kind}",{conn},{layer},{task}{data}]\n'


def decode_line(line: str, seq: int) -> Event:
    """Return the event of a line. Raises `ValueError` if it is not one."""
    values = json.loads(line)
    if not isinstance(values, list) or not 5 <= len(values) <= 6:
        raise ValueError("expected [t, kind, conn, layer, task, data]")
    t, kind, conn, layer, task, *rest = values
    numbers = (t, conn, layer, task)
    if not isinstance(kind, str) or not all(type(number) is int for number in numbers):
        raise ValueError("expected [t, kind, conn, layer, task, data]")
    if rest and not isinstance(rest[0], dict):
        raise ValueError("expected data to be an object")
    return Event(seq, t, conn, layer, kind, task, MappingProxyType(rest[0]) if rest else EMPTY)


dumps = json.JSONEncoder(separators=(",", ":")).encode
"""Returns compact JSON; `json.dumps` would make an encoder each time."""


class FileWriter:
    """A follower that writes a trace file as it grows; see `asgi_lab.ticker.Follower`.

    The file is opened at the first event, so that a supervisor that serves nothing leaves none.
    If another process is writing to it already, this one writes `name-PID` beside it. Each batch
    is in the kernel's hands before `write` returns: a killed process loses at most the last tick.
    Raises `OSError` if the file cannot be opened or written.
    """

    def __init__(
        self,
        path: str | Path,
        recorder: Recorder,
        header: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        self.path = Path(path)
        self._recorder = recorder
        self._header = header
        self._next = 0
        self._raw: IO[bytes] | None = None
        self._zip: gzip.GzipFile | None = None
        self.failed = False
        """Whether something could not be written: the file ends too early."""

    def write(self, first: int, records: list[Record]) -> None:
        """Append records, and the header before the first; note how many are missing."""
        try:
            self._write(first, records)
        except OSError as error:
            self.failed = True
            raise OSError(f"cannot write {self.path}: {error.strerror or error}") from error

    def _write(self, first: int, records: list[Record]) -> None:
        lines = []
        if self._raw is None:
            self._open()
            lines.append(dumps({**header_of(self._recorder), **self._header()}) + "\n")
        origin = self._recorder.origin
        if first > self._next:
            at = records[0][0] if records else self._recorder.clock()
            lost = {"events": first - self._next}
            lines.append(f'[{at - origin},"drop",0,0,0,{dumps(lost)}]\n')
        lines += encode_records(records, origin)
        self._next = first + len(records)
        self._put("".join(lines).encode())

    def close(self) -> None:
        """Close the file."""
        if self._zip is not None:
            self._zip.close()
        if self._raw is not None:
            self._raw.close()

    def _open(self) -> None:
        self._raw = open(self.path, "ab", buffering=0)  # noqa: SIM115
        if not _lock(self._raw):
            self._raw.close()
            name, dot, rest = self.path.name.partition(".")
            self.path = self.path.with_name(f"{name}-{os.getpid()}{dot}{rest}")
            self._raw = open(self.path, "ab", buffering=0)  # noqa: SIM115
        if os.path.isfile(self.path):
            self._raw.truncate(0)
        if self.path.suffix == ".gz":
            self._zip = gzip.GzipFile(fileobj=self._raw, mode="wb")

    def _put(self, data: bytes) -> None:
        assert self._raw is not None
        if self._zip is not None:
            self._zip.write(data)
            self._zip.flush()
            return
        view = memoryview(data)
        while view:
            view = view[self._raw.write(view) :]


def write_trace(trace: Trace, path: str | Path) -> None:
    """Write a whole trace to a file. Raises `OSError` if it cannot be written."""
    file = Path(path)
    data = encode_trace(trace)
    file.write_bytes(gzip.compress(data, mtime=0) if file.suffix == ".gz" else data)


def encode_trace(trace: Trace) -> bytes:
    """Return a whole trace as a file holds it."""
    header = {"asgi_lab": FORMAT, **trace.header}
    lines = [dumps(header) + "\n", *map(encode_event, trace.events)]
    return "".join(lines).encode()


def _lock(file: IO[bytes]) -> bool:
    """Take the file for this process, as long as it is open. Devices cannot be taken."""
    try:
        import fcntl

        if os.path.isfile(file.name):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:
        return True
    except OSError:
        return False
    return True


def read_trace(*paths: str | Path) -> Trace:
    """Return the trace in one file, or of several merged on one time axis.

    `header["torn"]` names the files whose last line was cut. Raises `TraceFileError`, and
    `OSError` if a file cannot be read.
    """
    parts = [_read(Path(path)) for path in paths]
    if len(parts) == 1:
        header, events = parts[0]
    else:
        header, events = _merge(parts)
    missing = sum(event.data.get("events", 0) for event in events if event.kind == "drop")
    return Trace(tuple(events), MappingProxyType(header), missing)


def _read(path: Path) -> tuple[dict[str, Any], list[Event]]:
    lines, torn = _lines(path)
    if not lines:
        raise TraceFileError(f"{path} is empty: not a trace (nothing was recorded yet?)")
    header = _read_header(path, lines[0])
    events: list[Event] = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            events.append(decode_line(line, len(events)))
        except ValueError as error:
            if number == len(lines):
                torn = True
                break
            raise TraceFileError(f"{path} is corrupt at line {number}: {error}") from None
    if torn:
        header["torn"] = [str(path)]
    events.sort(key=_time)  # several processes wrote in turns
    return header, events


def _time(event: Event) -> int:
    return event.t


def _lines(path: Path) -> tuple[list[str], bool]:
    data = path.read_bytes()
    torn = False
    if data[:2] == b"\x1f\x8b":
        data, torn = _unzip(data)
    whole, _, rest = data.rpartition(b"\n")
    if not whole:
        whole, torn = rest, True
    elif rest:
        torn = True
    try:
        return whole.decode().split("\n") if whole else [], torn
    except UnicodeDecodeError:
        raise TraceFileError(f"{path} is not a trace: it is not text") from None


def _unzip(data: bytes) -> tuple[bytes, bool]:
    """Return what can be unzipped, and whether the end is missing."""
    out, reader = io.BytesIO(), zlib.decompressobj(wbits=31)
    try:
        for start in range(0, len(data), 4096):
            out.write(reader.decompress(data[start : start + 4096]))
    except zlib.error:
        return out.getvalue(), True
    return out.getvalue(), not reader.eof


def _read_header(path: Path, line: str) -> dict[str, Any]:
    try:
        header = json.loads(line)
        version = header["asgi_lab"]
    except (ValueError, TypeError, KeyError):
        raise TraceFileError(
            f"{path} is not a trace: expected a first line like "
            f'{{"asgi_lab": {FORMAT}, ...}}, got {line[:60]!r}'
        ) from None
    if not isinstance(version, int) or version > FORMAT:
        raise TraceFileError(
            f"{path} was written in format {version}; this asgi-lab reads up to {FORMAT}. "
            "Upgrade: pip install -U asgi-lab"
        )
    return dict(header)


def _merge(parts: list[tuple[dict[str, Any], list[Event]]]) -> tuple[dict[str, Any], list[Event]]:
    starts = [int(header.get("started", 0)) for header, _ in parts]
    zero = min(starts)
    shifted = [
        (event.t + start - zero, index, event)
        for index, (start, (_, events)) in enumerate(zip(starts, parts, strict=True))
        for event in events
    ]
    shifted.sort(key=lambda entry: entry[0])
    conns, tasks = itertools.count(1), itertools.count(1)
    numberings = [Numbering(conns, tasks) for _ in parts]
    merged = []
    for seq, (t, index, event) in enumerate(shifted):
        conn, task = numberings[index].conn(event.conn), numberings[index].task(event.task)
        data = event.data
        if event.kind == "scope" and event.layer == 0:
            data = MappingProxyType({**data, "pid": parts[index][0].get("pid")})
        elif event.kind == "task":
            parent = numberings[index].task(data.get("parent", 0))
            data = MappingProxyType({**data, "parent": parent})
        merged.append(Event(seq, t, conn, event.layer, event.kind, task, data))
    header = {**parts[starts.index(zero)][0], "merged": len(parts)}
    torn = [name for part, _ in parts for name in part.get("torn", [])]
    return ({**header, "torn": torn} if torn else header), merged
