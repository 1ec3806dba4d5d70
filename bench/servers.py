"""Our own server beside Uvicorn: the same app, untraced, on both, loaded in turns.

Both run on h11 and asyncio's own loop with all that they do by default, but log no requests.
"""

from functools import partial

from bench.apps import SERVERS
from bench.http import rates, servers
from bench.load import EXCHANGES
from bench.pairs import in_turns

OURS, BASE = SERVERS
GOALS = {("hello", OURS): 1.2, ("stream", OURS): 1.2}


def report(rounds: int, seconds: float) -> None:
    """Print the rates of each exchange, as parts of Uvicorn's."""
    with servers(list(SERVERS)) as running:
        for kind, exchange in EXCHANGES.items():
            loads = {
                name: partial(server.load, exchange, seconds) for name, server in running.items()
            }
            rates(kind, in_turns(loads, rounds), BASE, GOALS)
