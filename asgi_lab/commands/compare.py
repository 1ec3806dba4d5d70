"""`asgi-lab compare`: the same workload on two apps or servers, on one axis."""

import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Any

from asgi_lab.adapters.order import SessionError
from asgi_lab.adapters.target import TargetError, load_target
from asgi_lab.client import Request, every
from asgi_lab.clock import VirtualTimeError, real
from asgi_lab.commands import exports
from asgi_lab.commands.output import fail, make_console, warn
from asgi_lab.commands.trace import read_requests
from asgi_lab.experiment.comparison import Comparison, Side, compare
from asgi_lab.memory import LifespanFailed

LANES = 40
"""Lanes of a side in a picture; of more requests, each lane speaks for several."""


def run_compare(**given: Any) -> int:
    """Run both, show them; return the exit code."""
    targets = (given["a"], given["b"])
    try:
        exports.check(given)
        requests = read_requests(given["requests"], given["headers"])
        servers = read_servers(given["servers"])
        real_servers = any(server != "memory" for server in servers)
        loaded = [load_target(target, given["app_dir"])[0] for target in targets]
    except (ValueError, TargetError) as error:
        return fail(str(error))
    clients: Sequence[Request] = requests * given["count"]
    if given["every"]:
        clients = every(given["every"], clients)
    apps: Sequence[Any] = targets if real_servers else loaded
    names = tuple(targets)
    if names[0] == names[1]:
        pairs = zip(targets, servers, strict=True)
        same = servers[0] == servers[1]
        names = ("A", "B") if same else tuple(f"{t} on {s}" for t, s in pairs)
    try:
        comparison = asyncio.run(
            both(
                *apps,
                clients,
                names=names,
                server=servers,
                workers=given["workers"],
                threads=given["threads"],
                concurrency=given["concurrency"],
                clock=real() if given["real"] and not real_servers else None,
            )
        )
    except ValueError as error:
        return fail(str(error))
    except SessionError as error:
        return fail(str(error))
    except KeyboardInterrupt:
        return 130
    except (VirtualTimeError, LifespanFailed) as error:
        warn(f"{type(error).__name__}: {error}")
        return 1
    code = show(comparison, given["style"])
    if any(exports.asked(given)):
        from asgi_lab.scene.comparison import comparison as scene

        code = exports.write_scene(scene(comparison, rows=LANES), given) or code
    return code


async def both(*apps: Any, **settings: Any) -> Comparison:
    """Compare, as a coroutine."""
    return await compare(*apps, **settings)


def read_servers(servers: Sequence[str]) -> tuple[str, str]:
    """Return the servers of A and B. Raises ValueError if there are more than two."""
    if len(servers) > 2:
        raise ValueError("give --server once for both, or twice: for A, and for B")
    first = servers[0] if servers else "memory"
    return first, servers[-1] if servers else "memory"


def show(comparison: Comparison, style: str) -> int:
    """Print the comparison; return the exit code."""
    console, _ = make_console()
    if style == "json":
        json.dump(as_json(comparison), sys.stdout)
        print()
        return 0
    from asgi_lab.view.comparison import comparison_view

    console.print(comparison_view(comparison, console.width))
    for side in (comparison.a, comparison.b):
        failed = [result for result in side.trace.results if result.error]
        if failed:
            warn(f"{side.name}: {len(failed)} × {failed[0].error}")
    return 0


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Return what came out as what JSON holds; times in seconds."""

    def of(side: Side) -> dict[str, Any]:
        trace = side.trace
        return {
            "name": side.name,
            "served_by": side.served_by,
            "seconds": side.seconds,
            "exact": trace.exact,
            "digest": trace.digest,
            "requests": [
                {
                    "request": str(result.request),
                    "status": result.status,
                    "started": result.started,
                    "seconds": result.seconds,
                    "error": result.error,
                }
                for result in trace.results
            ],
        }

    faster = comparison.faster
    return {
        "a": of(comparison.a),
        "b": of(comparison.b),
        "ratio": comparison.ratio,
        "faster": faster.name if faster else None,
    }
