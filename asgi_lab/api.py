"""`trace(app)`: the one function most people need."""

import os
import sys
from pathlib import Path
from typing import Any

from asgi_lab.interface import interface_of, single_callable
from asgi_lab.recorder import LIMIT, Recorder
from asgi_lab.tracer import Tracer
from asgi_lab.wsgi import WSGITracer

RECORD_VARIABLE = "ASGI_LAB_RECORD"


def trace(
    app: Any,
    *,
    run: bool = True,
    layers: bool = True,
    rules: bool = True,
    watchdog: float | None = 0.1,
    redact: bool = True,
    max_events: int = LIMIT,
    record: str | os.PathLike[str] | None = None,
    recorder: Recorder | None = None,
) -> Any:
    """Return `app` traced: serve the result in its place, and read its `.trace`.

    Works for ASGI and WSGI apps, under any server, as the outermost middleware or inside others.

    - `run`: note when the connection's tasks hold the event loop, and its work in threads.
    - `layers`: note what passes at each middleware, not only at the server.
    - `rules`: check what passes against the rules of ASGI (`asgi-lab rules`); of each that is
      broken, an event `finding` says who broke it, and at which line.
    - `watchdog`: seconds for which the event loop may be held before a thread looks which line
      holds it, noted as an event `block`; None for no watchdog.
    - `redact`: mask credentials, cookies and secret-sounding values before anything is kept.
    - `max_events`: how many events to keep in memory; the oldest are dropped, and counted.
    - `record`: a file to write the trace to as it grows (`.jsonl`, or `.jsonl.gz`); by default the
      one named by the environment variable `ASGI_LAB_RECORD`.

    Raises `TypeError` if `app` is neither. A file that cannot be written is a warning on stderr:
    tracing goes on in memory.
    """
    recorder = recorder or Recorder(limit=max_events, redact=redact)
    interface = interface_of(app)
    tracer: Tracer | WSGITracer
    if interface == "wsgi":
        tracer = WSGITracer(app, recorder)
    elif interface is None:
        raise TypeError(f"expected an ASGI or WSGI app, got {type(app).__name__}: {app!r:.80}")
    else:
        inner = single_callable(app) if interface == "asgi2" else app
        tracer = Tracer(inner, recorder, run=run, layers=layers, rules=rules, watchdog=watchdog)
    tracer.ticker.warn = _warn
    if path := record or os.environ.get(RECORD_VARIABLE):
        tracer.ticker.record(Path(path))
    return tracer


def _warn(message: str) -> None:
    print(f"asgi-lab: {message}", file=sys.stderr)
