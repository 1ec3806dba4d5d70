"""Requests per second and latency of one app under Uvicorn, in each wrap of `bench.apps`.

All servers run at once, each a process of its own, and are loaded in turns; those whose turn it is
not are idle. Each is given its share of CPUs without the generator's, which with two CPUs is one:
whatever the tracer does in its background thread is taken from the server, and is in the figures.
On a machine with other work to do, trust the exchanges per second of CPU time: who waits for a CPU
does not use it.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

from bench.apps import BARE, EVENTS, FULL, OTEL, WRAPS
from bench.load import CONNECTIONS, EXCHANGES, Exchange, measure
from bench.pairs import in_turns, ratio
from bench.serve import GENERATOR_CPU

GOALS = {
    ("hello", EVENTS): 0.90,
    ("hello", FULL): 0.80,
    ("stream", FULL): 0.78,
    ("websocket", FULL): 0.85,
}
P99_GOAL = 1.15


class Run(NamedTuple):
    """What a server did in its turn; `cpu` is in seconds an answer."""

    rate: float
    p99: float
    cpu: float


class Server(NamedTuple):
    """A running server."""

    process: subprocess.Popen[str]
    port: int

    def load(self, exchange: Exchange, seconds: float, rate: float = 0) -> Run:
        """Load it for a while; see `bench.load.measure`."""
        before = cpu_seconds(self.process.pid)
        sample = measure(self.port, exchange, seconds, rate)
        spent = cpu_seconds(self.process.pid) - before
        return Run(sample.rate, sample.p99, spent / (sample.rate * seconds))


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that all threads of a process have had (0 where Linux does not say)."""
    stats = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(stat.read_text().split()[0]) for stat in stats) / 1e9


def report(rounds: int, seconds: float, names: list[str] | None = None) -> None:
    """Print every comparison; with `names`, of these wraps alone."""
    wraps = [name for name in WRAPS if not names or name == BARE or name in names]
    with servers(wraps) as running:

        def each(kind: str, rate: float = 0) -> dict[str, list[Run]]:
            loads = {
                name: partial(server.load, EXCHANGES[kind], seconds, rate)
                for name, server in running.items()
            }
            return in_turns(loads, rounds)

        for kind in EXCHANGES:
            runs = each(kind)
            rates(kind, runs, BARE, GOALS)
            if kind == "hello":
                latencies(f"{CONNECTIONS} connections, as fast as they can", runs)
                half = median(run.rate for run in runs[BARE]) / 2
                title = f"at {half:,.0f} requests a second: half of what untraced can"
                latencies(title, each(kind, half))
        against_wrk(running[BARE].port)
    if OTEL in wraps:
        print(f"{OTEL} has the provider {otel_provider()}.")


def rates(
    kind: str, runs: dict[str, list[Run]], base: str, goals: dict[tuple[str, str], float]
) -> None:
    """Print the rates of one exchange, and what part they are of those of `base`."""
    print(f"\n{kind}: exchanges a second, and a CPU second; both as parts of those {base}")
    for name, each in runs.items():
        rate = ratio([run.rate for run in each], [run.rate for run in runs[base]])
        thrift = ratio([1 / run.cpu for run in each], [1 / run.cpu for run in runs[base]])
        goal = goals.get((kind, name))
        note = f"   goal {goal:.2f}" if goal else ""
        values = median(run.rate for run in each), median(1 / run.cpu for run in each)
        print(f"  {name:32} {values[0]:8,.0f}  {rate!s:18} {values[1]:8,.0f}  {thrift!s:18}{note}")


def latencies(load: str, runs: dict[str, list[Run]]) -> None:
    """Print the 99th percentiles of one load."""
    base = [run.p99 for run in runs[BARE]]
    print(f"\nhello: p99 latency in ms, and times that untraced; {load}")
    for name, each in runs.items():
        values = [run.p99 for run in each]
        note = f"   goal {P99_GOAL:.2f}" if name in (EVENTS, FULL) else ""
        print(f"  {name:32} {median(values) * 1e3:8.2f}  {ratio(values, base)!s:18}{note}")


@contextmanager
def servers(names: list[str]) -> Iterator[dict[str, Server]]:
    """Run a server for each name, a process of its own."""
    started = []
    try:
        for name in names:
            process = subprocess.Popen(
                [sys.executable, "-m", "bench.serve", name],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            started.append(process)
        running = [Server(process, port_of(process)) for process in started]
        yield dict(zip(names, running, strict=True))
    finally:
        for process in started:
            process.terminate()
            process.wait(10)


def port_of(process: subprocess.Popen[str]) -> int:
    """Wait until a server has said which port is its own."""
    assert process.stdout is not None
    return int(process.stdout.readline())


def against_wrk(port: int) -> None:
    """Say what another generator makes of the untraced server, so that ours can be trusted."""
    print(f"\nThe load generator is bench.load, on CPU {GENERATOR_CPU}.", end=" ")
    wrk = shutil.which("wrk")
    if not wrk:
        print("(wrk is not installed: not compared.)")
        return
    url = f"http://127.0.0.1:{port}/"
    seconds = 2

    def other() -> float:
        command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", url]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        line = next(line for line in result.stdout.splitlines() if "Requests/sec" in line)
        return float(line.split()[1])

    def own() -> float:
        return measure(port, EXCHANGES["hello"], seconds).rate

    rates = in_turns({"wrk": other, "ours": own}, 2)
    print(f"Of wrk's hello-world untraced it reaches {ratio(rates['ours'], rates['wrk'])}.")


def otel_provider() -> str:
    """Return which OpenTelemetry provider its middleware finds here."""
    from opentelemetry import trace

    try:
        import opentelemetry.sdk  # noqa: F401
    except ImportError:
        sdk = "no SDK is installed, so its spans are no-ops: the least it can cost"
    else:
        sdk = "its SDK is installed, but not set up"
    return f"{type(trace.get_tracer_provider()).__name__}; {sdk}"
