"""`asgi-lab trace --virtual`: the same requests, simulated in memory in virtual time."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from shlex import quote
from types import MappingProxyType
from typing import Any

from asgi_lab.adapters.target import TargetError, load_target
from asgi_lab.clock import VirtualTimeError, virtual
from asgi_lab.commands import exports
from asgi_lab.commands.diagnoses import strict_code
from asgi_lab.commands.output import USAGE, fail, make_console, warn
from asgi_lab.commands.show import show_trace
from asgi_lab.commands.trace import read_requests
from asgi_lab.events import Trace
from asgi_lab.experiment import run
from asgi_lab.experiment.in_thread import SIMULATED
from asgi_lab.files import write_trace
from asgi_lab.filters import compile_filter
from asgi_lab.memory import LifespanFailed

BROKEN = 1
"""The exit code if the app deadlocks, stalls or does not start."""

UNUSED = {
    "ui": "--ui",
    "reload": "--reload",
    "loop": "--loop",
    "http": "--http",
    "server_args": "what follows --",
    "port": "--port",
}
"""Options of real servers, which mean nothing here."""


def run_virtual(**given: Any) -> int:
    """Simulate, show; return the exit code."""
    try:
        requests = read_requests(given["requests"], given["headers"])
        if given["expression"]:
            compile_filter(given["expression"])
        check(given)
        exports.check(given)
        app, interface = load_target(given["target"], given["app_dir"], given["factory"])
    except (ValueError, TargetError) as error:
        return fail(str(error))
    pool = {"threads": given["threads"]}
    if interface == "wsgi" or given["workers"] > 1:
        pool["workers"] = given["workers"]
    code, trace = 0, Trace()
    try:
        trace = asyncio.run(
            run(
                app,
                requests * given["count"],
                server=given["server"] or "memory",
                clock=virtual(),
                concurrency=given["concurrency"],
                layers=not given["no_layers"],
                rules=not given["no_rules"],
                redact=not given["no_redact"],
                max_events=given["max_events"],
                **pool,
            )
        )
    except ValueError as error:
        return fail(str(error))
    except KeyboardInterrupt:
        return 130
    except (VirtualTimeError, LifespanFailed) as error:
        warn(f"{type(error).__name__}: {error}")
        code, trace = BROKEN, getattr(error, "trace", None) or trace
    return finish(trace, given) or code


def check(given: Mapping[str, Any]) -> None:
    """Raise ValueError for options that do not go with `--virtual`."""
    if not given["requests"]:
        raise ValueError('--virtual simulates requests: give some, such as -r "GET /"')
    server = given["server"]
    if server is not None and server not in SIMULATED:
        raise ValueError(
            f"{server} has real sockets: with --virtual, leave --server out, "
            f"or use {' or '.join(SIMULATED)}"
        )
    for name, option in UNUSED.items():
        if given[name]:
            raise ValueError(f"{option} is for a real server, and goes with no --virtual")


def finish(trace: Trace, given: Mapping[str, Any]) -> int:
    """Write and show what was recorded; return the exit code."""
    console, _ = make_console()
    if given["record"]:
        try:
            write_trace(trace, given["record"])
        except OSError as error:
            return fail(f"cannot write {error.filename}: {error.strerror}")
    code = 0
    if trace.events or given["style"] != "text":
        views = (
            [] if given["quiet"] else list(dict.fromkeys((given["view"] or "timeline", "summary")))
        )
        known = {**trace.header, "cost": 0}
        shown = replace(trace, header=MappingProxyType(known))
        code = show_trace(console, shown, views, given["conn"], given["expression"], given["style"])
    code = exports.write(trace, given) or code
    if given["style"] == "text" and trace.results:
        console.print(f"\nvirtual time: {trace.seconds:g} s, digest {trace.digest}")
    for result in trace.results:
        if result.error:
            warn(f"{result.request}: {result.error}")
            break
    if given["record"]:
        file = Path(given["record"])
        warn(f"the trace is in {file}; to see it again: asgi-lab show {quote(str(file))}")
    if code:
        return USAGE
    return strict_code(trace) if given["strict"] else 0
