"""The servers that a target can run on, and the command line of each.

One entry a server: what it serves, how it is installed, and how it is told host, port, workers
and the rest. Each is started as its own documentation says; nothing of it is patched.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec

from asgi_lab.interface import Interface

HOSTED = "asgi_lab.adapters.hosted:app"

LAB_THREADS = 4
"""Threads of each process in which our own server runs a WSGI app; `-- --threads N` for others."""

INTERFACES = {"asgi": "server", "asgi2": "server", "wsgi": "wsgi_server"}
"""Our own server of each interface: `asgi_lab.server`, `asgi_lab.wsgi_server`."""


class ServerError(Exception):
    """The server cannot be used as asked; the message is for the user."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a server is asked for. `extra` goes to its command line as it is."""

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    reload_dir: str | None = None
    loop: str | None = None
    http: str | None = None
    extra: Sequence[str] = ()

    @property
    def bind(self) -> str:
        """`host:port`, with brackets around an IPv6 address."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Server:
    """A server: its module, what it serves, and its command line for some options."""

    name: str
    serves: tuple[Interface, ...]
    command: Callable[[Options, Interface], list[str]]
    module: str = ""
    """Where its command line is, if not in a package of its name; `{}` stands for the interface."""
    takes: frozenset[str] = field(default_factory=frozenset)

    def argv(self, options: Options, interface: Interface) -> list[str]:
        """Return the module and its arguments. Raises `ServerError` for what it cannot do."""
        self.check(options)
        module = self.module.format(INTERFACES[interface]) or self.name
        return [module, *self.command(options, interface), *options.extra, HOSTED]

    def check(self, options: Options) -> None:
        """Raise `ServerError` if it is not installed or lacks an option that is asked for."""
        if not self.installed:
            raise ServerError(f"{self.name} is not installed: pip install {self.name}")
        asked = {
            "workers": options.workers > 1,
            "reload": options.reload_dir is not None,
            "loop": options.loop is not None,
            "http": options.http is not None,
        }
        for option, wanted in asked.items():
            if wanted and option not in self.takes:
                able = " or ".join(s.name for s in SERVERS.values() if option in s.takes)
                raise ServerError(f"{self.name} has no --{option}; {able} has")

    @property
    def installed(self) -> bool:
        """Whether its package is there."""
        return bool(self.module) or find_spec(self.name) is not None


def _uvicorn(options: Options, _: Interface) -> list[str]:
    command = ["--host", options.host, "--port", str(options.port), "--interface", "asgi3"]
    command += ["--log-level", "warning", "--no-access-log"]
    if options.workers > 1:
        command += ["--workers", str(options.workers)]
    if options.reload_dir is not None:
        command += ["--reload", "--reload-dir", options.reload_dir]
    if options.loop is not None:
        command += ["--loop", options.loop]
    if options.http is not None:
        command += ["--http", options.http]
    return command


def _hypercorn(options: Options, _: Interface) -> list[str]:
    workers = options.workers if options.workers > 1 else 0  # 0: in the process itself
    command = ["--bind", options.bind, "--workers", str(workers), "--log-level", "WARNING"]
    return command + (["--worker-class", options.loop] if options.loop else [])


def _daphne(options: Options, _: Interface) -> list[str]:
    return ["--bind", options.host, "--port", str(options.port), "--verbosity", "0"]


def _granian(options: Options, interface: Interface) -> list[str]:
    command = ["--host", options.host, "--port", str(options.port)]
    command += ["--interface", interface, "--workers", str(options.workers)]
    command += ["--log-level", "warning", "--no-access-log"]
    return command + (["--loop", options.loop] if options.loop else [])


def _gunicorn(options: Options, interface: Interface) -> list[str]:
    command = ["--bind", options.bind, "--workers", str(options.workers)]
    command += ["--log-level", "warning"]
    return command + (["--worker-class", "asgi"] if interface == "asgi" else [])


def _lab(options: Options, interface: Interface) -> list[str]:
    command = ["--host", options.host, "--port", str(options.port), "--log-level", "warning"]
    if interface == "wsgi":
        if options.loop is not None:
            raise ServerError("a WSGI app has no event loop: leave --loop out")
        if options.reload_dir is not None:
            raise ServerError("lab traces a WSGI app as it is: leave --reload out")
        return [*command, "--workers", str(options.workers), "--threads", str(LAB_THREADS)]
    if options.workers > 1:
        raise ServerError(
            "lab serves an ASGI app in one process; uvicorn or granian take --workers"
        )
    if options.reload_dir is not None:
        command += ["--reload", "--reload-dir", options.reload_dir]
    else:
        command += ["--shutdown-seconds", "8"]  # less than we wait for it
    return command + (["--loop", options.loop] if options.loop else [])


SERVERS = {
    server.name: server
    for server in (
        Server(
            "uvicorn", ("asgi",), _uvicorn, takes=frozenset(("workers", "reload", "loop", "http"))
        ),
        Server("hypercorn", ("asgi",), _hypercorn, takes=frozenset(("workers", "loop"))),
        Server("daphne", ("asgi",), _daphne),
        Server("granian", ("asgi", "wsgi"), _granian, takes=frozenset(("workers", "loop"))),
        Server("gunicorn", ("wsgi", "asgi"), _gunicorn, takes=frozenset(("workers",))),
        Server(
            "lab", ("asgi", "wsgi"), _lab, "asgi_lab.{}", frozenset(("workers", "reload", "loop"))
        ),
    )
}


def choose_server(name: str | None, interface: Interface) -> Server:
    """Return the server to use for an app. Raises `ServerError` if `name` does not serve it."""
    if name is None:
        if interface == "asgi":
            return SERVERS["uvicorn"]
        return SERVERS["gunicorn"] if SERVERS["gunicorn"].installed else SERVERS["lab"]
    server = SERVERS[name]
    if interface not in server.serves:
        able = [s.name for s in SERVERS.values() if interface in s.serves]
        raise ServerError(
            f"the app speaks {interface.upper()}, and {name} serves {server.serves[0].upper()}: "
            f"use --server {' or '.join(able)}, or leave --server out"
        )
    return server
