"""What can be run, and on what: mistakes are met before anything begins."""

from typing import Any

from asgi_lab.adapters.servers import SERVERS
from asgi_lab.adapters.target import TargetError, load_target
from asgi_lab.clock import Real, Virtual, real, virtual
from asgi_lab.experiment.in_thread import IN_THREAD, SIMULATED
from asgi_lab.experiment.setup import Setup, World
from asgi_lab.interface import Interface, interface_of
from asgi_lab.standin import original

MOST = 2_000
"""Threads of all workers together."""


def load(app: Any) -> tuple[Any, Interface, str | None]:
    """Return the app, its interface, and its name if it was given by name.

    Raises TypeError if it is no app, ValueError if there is none of that name.
    """
    target = None
    if isinstance(app, str):
        target = app
        try:
            app, _ = load_target(target)
        except TargetError as error:
            raise ValueError(str(error)) from None
    app = original(app)
    interface = interface_of(app)
    if interface is None:
        raise TypeError(f"expected an ASGI or WSGI app, got {type(app).__name__}: {app!r:.80}")
    return app, interface, target


def choose_clock(server: str) -> World:
    """Return the world in which a run happens unless told: virtual time for what is in memory."""
    return virtual() if server == "memory" else real()


def check(setup: Setup) -> None:
    """Raise ValueError for what cannot be run so, saying what can."""
    counts = {
        "workers": setup.workers,
        "threads": setup.threads,
        "max_events": setup.max_events,
    }
    for name, value in counts.items():
        if value is not None and (type(value) is not int or value < 1):
            raise ValueError(f"{name} is a number of at least 1, got {value!r}")
    if setup.workers * (setup.threads or 1) > MOST:
        raise ValueError(f"workers and threads make at most {MOST:,} in all")
    if not isinstance(setup.clock, Virtual | Real):
        raise ValueError(f"clock is virtual() or real(), got {setup.clock!r}")
    server, wsgi = setup.server, setup.interface == "wsgi"
    names = list(dict.fromkeys(("memory", *IN_THREAD, "lab", *SERVERS)))
    if server not in names:
        raise ValueError(f"unknown server {server!r}: the servers are {', '.join(names)}")
    speaks = "wsgi" if wsgi else "asgi"
    if server in SERVERS and speaks not in SERVERS[server].serves:
        others = " or ".join(s.name for s in SERVERS.values() if speaks in s.serves)
        raise ValueError(f"the app speaks {speaks.upper()}, and {server} does not: use {others}")
    here = ("memory", "lab") if wsgi else ("memory", *IN_THREAD)
    if server not in here and setup.target is None:
        raise ValueError(
            f"{server} runs in a process of its own, which imports the app: give the app by name, "
            f'as in run("main:app", server={server!r}); an object runs on {" or ".join(here)}'
        )
    if isinstance(setup.clock, Virtual):
        able = ("memory",) if wsgi else ("memory", *SIMULATED)
        if server not in able:
            raise ValueError(
                f"{server} has real sockets, and needs the real clock: clock=real(). "
                f"In virtual time: {' or '.join(able)}"
            )
    if not wsgi and server == "memory" and setup.workers > 1:
        raise ValueError(
            "in memory an ASGI app has one event loop, which serves all clients; workers are for a "
            'WSGI app, or for a real server: run("main:app", server="uvicorn", workers=2)'
        )
    if setup.workers > 1 and server != "memory" and setup.target is None:
        raise ValueError("several workers need the app by name: each process imports it")
    if setup.threads is not None and server != "memory" and not (wsgi and server == "lab"):
        raise ValueError(
            f"threads= is for the server `memory`, and of WSGI `lab`; not for {server}"
        )


def check_time(timeout: object) -> None:
    """Raise ValueError unless this is a number of seconds, or None."""
    if timeout is not None and (
        isinstance(timeout, bool) or not isinstance(timeout, int | float) or timeout <= 0
    ):
        raise ValueError(f"timeout is a number of seconds above 0, or None; got {timeout!r}")
