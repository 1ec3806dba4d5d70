"""A pytest plugin that traces every app a framework's own test suite calls.

    pytest -p wrap_plugin        with this directory on PYTHONPATH

Each rule of ASGI that an app or a client of the suite breaks is told at the end, with the test.
Each way in which a suite calls an app in-process is patched to call it traced. After each test all
traces that it made are read, decoded and forgotten: a trace that cannot be read fails the test.
"""

import importlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from asgi_lab import trace
from asgi_lab.files import snapshot
from asgi_lab.interface import interface_of
from asgi_lab.recorder import Recorder
from asgi_lab.standin import StandIn
from asgi_lab.testing.clients import Clients
from asgi_lab.text import line

APPS = (
    ("quart.app", "Quart"),
    ("litestar.app", "Litestar"),
    ("falcon.asgi", "App"),
    ("falcon", "App"),
    ("flask", "Flask"),
    ("bottle", "Bottle"),
)
"""App classes that their own test clients call directly, and look at closely."""

recorders: list[Recorder] = []
totals = {"apps": 0, "events": 0}
findings: dict[str, list[str]] = {}
"""What the rules say of the suite, and the tests in which they say it."""


def traced(app: Any) -> Any:
    """Return an app traced, or as it is if it is no app, or traced already."""
    if isinstance(app, StandIn) or interface_of(app) is None:
        return app
    recorder = Recorder(limit=10_000)
    recorders.append(recorder)
    return trace(app, recorder=recorder)


def wrap_app(cls: Any) -> None:
    """Let every call of an app of this class go through a tracer first, and then to the app."""
    original: Callable[..., Any] = cls.__call__

    async def call_async(self: Any, scope: Any, receive: Any, send: Any) -> Any:
        if getattr(send, "__name__", "") == "traced_send":
            return await original(self, scope, receive, send)
        return await traced(self)(scope, receive, send)

    def call_wsgi(self: Any, environ: Any, start_response: Any) -> Any:
        if getattr(start_response, "__qualname__", "").startswith("Request.traced_start_response"):
            return original(self, environ, start_response)
        return traced(self)(environ, start_response)

    cls.__call__ = call_async if inspect.iscoroutinefunction(original) else call_wsgi


def pytest_configure(config: pytest.Config) -> None:
    """Patch what is installed."""
    Clients(traced).start()
    for module, name in APPS:
        try:
            wrap_app(getattr(importlib.import_module(module), name))
        except (ImportError, AttributeError):
            continue


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Read every trace that the test has made."""
    result = yield
    for recorder in recorders:
        totals["apps"] += 1
        taken = snapshot(recorder)
        totals["events"] += len(taken)
        for event in taken:
            if event.kind == "finding":
                told = line(event)
                findings.setdefault(told, []).append(item.nodeid)
    recorders.clear()
    return result


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what was found, and how much was traced: nothing would mean that nothing was wrapped."""
    for told, tests in sorted(findings.items()):
        terminalreporter.write_line(f"finding: {told}, in {tests[0]} (of {len(tests)})")
    terminalreporter.write_line(f"traced: {totals['apps']} apps, {totals['events']} events")
