"""The same trace, to the byte, whatever the Python, the hash seed, the load of the machine.

python -m proofs.determinism [--quick] [--runs 20] [--python 3.12 ...] [NAME ...]

Each experiment runs in many processes, in an order of its own in each: with random hash seeds, on
every Python that can be found, beside processes that compute, and in a fresh Jupyter kernel. A
fingerprint of the events and of what the clients got must be the same in all. Exits with 1 if one
differs, unless `tests.experiments.DIFFER` says why.
"""

import argparse
import json
import os
import random
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from proofs.child import SKIPPED
from proofs.pythons import ROOT, Missing, python_of
from tests.experiments import DIFFER, EXPERIMENTS

VERSIONS = ("3.11", "3.12", "3.13")
LARGE = "raw, ten thousand"
PATIENCE = 600
"""Seconds that a process has for all experiments."""

Prints = dict[str, str]
Found = dict[str, dict[str, list[str]]]
"""Of each experiment, the fingerprints under each condition."""


def main() -> int:
    """Run everything, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m proofs.determinism")
    parser.add_argument("--quick", action="store_true", help="three processes of this Python")
    parser.add_argument("--runs", type=int, default=20, help="processes of each Python")
    parser.add_argument("--python", action="append", help=f"versions: {', '.join(VERSIONS)}")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="experiments with this in the name"
    )
    options = parser.parse_args()
    wanted = options.names or [""]
    names = [name for name in EXPERIMENTS if any(part in name for part in wanted)]
    found: Found = defaultdict(lambda: defaultdict(list))
    if options.quick:
        names = [name for name in names if name != LARGE]
        add(found, "here", in_processes(Path(sys.executable), 3, names))
    else:
        everything(found, names, options.python or VERSIONS, options.runs)
    return report(found, names)


def everything(found: Found, names: Sequence[str], versions: Iterable[str], runs: int) -> None:
    """Run under each condition, and say what is skipped."""
    for version in versions:
        try:
            python = python_of(version)
        except Missing as missing:
            print(f"Skipped: {missing}")
            continue
        add(found, f"Python {version}", in_processes(python, runs, names))
        with load():
            few = max(1, runs // 4)
            add(found, f"Python {version} under load", in_processes(python, few, names))
    try:
        add(found, "Jupyter", [in_kernel(names)])
    except ImportError as missing:
        print(f"Skipped: Jupyter; no module {missing.name}")


def add(found: Found, condition: str, runs: Iterable[Prints]) -> None:
    """Note what runs under one condition gave, and show that it goes on."""
    print(f"{condition} ", end="", flush=True)
    for run in runs:
        print(".", end="", flush=True)
        for name, fingerprint in run.items():
            found[name][condition].append(fingerprint)
    print(flush=True)


def in_processes(python: Path, runs: int, names: Sequence[str]) -> Iterator[Prints]:
    """Yield what each of so many processes gave, as many at once as there are cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(lambda _: in_process(python, names), range(runs))


def in_process(python: Path, names: Sequence[str]) -> Prints:
    """Run all in one process, with a hash seed of its own."""
    seed = random.randrange(1, 2**32)
    done = subprocess.run(
        [str(python), "-m", "proofs.child", str(seed), *names],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    given = dict(map(json.loads, done.stdout.splitlines()))
    said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return {name: given.get(name, f"the process ended: {said}") for name in names}


def in_kernel(names: Sequence[str]) -> Prints:
    """Run all in a cell of a fresh Jupyter kernel."""
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(cwd=str(ROOT), stderr=subprocess.DEVNULL)
    told: list[str] = []

    def take(message: dict[str, object]) -> None:
        content = message["content"]
        assert isinstance(content, dict)
        told.append(str(content.get("text") or content.get("evalue") or ""))

    try:
        cell = f"from proofs.child import tell\nawait tell(1, {names!r})"
        client.execute_interactive(cell, timeout=PATIENCE, output_hook=take)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    lines = "".join(told).splitlines()
    given = dict(json.loads(line) for line in lines if line.startswith("["))
    return {name: given.get(name, f"the cell ended: {lines[-1:]}") for name in names}


@contextmanager
def load() -> Iterator[None]:
    """Keep every core busy twice over meanwhile."""
    with ExitStack() as stack:
        for _ in range(2 * (os.cpu_count() or 1)):
            busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            stack.callback(busy.wait)
            stack.callback(busy.kill)
        yield


def report(found: Found, names: Sequence[str]) -> int:
    """Print the table; return 1 if something differs that should not."""
    width = max(map(len, names))
    wrong = 0
    print(f"\n{'experiment':{width}}  fingerprint       runs")
    for name in names:
        every = Counter(given for runs in found[name].values() for given in runs)
        skipped = {given: n for given, n in every.items() if given.startswith(SKIPPED)}
        prints = every - Counter(skipped)
        common = prints.most_common(1)[0][0] if prints else "-"
        failed = not prints or any(len(given) != 16 for given in prints)
        verdict = "equal"
        if len(prints) > 1 or failed:
            verdict = differences(found[name], common) or "it cannot be run"
            if name in DIFFER:
                verdict = f"differs, as known: {DIFFER[name]}"
            else:
                wrong += bool(prints) or not skipped
        notes = "".join(f"; {n} {given}" for given, n in skipped.items())
        print(f"{name:{width}}  {common[:16]:16}  {prints.total():4}  {verdict}{notes}")
    print(
        f"\n{wrong} of {len(names)} differ"
        if wrong
        else f"\nall {len(names)} are as they should be"
    )
    return bool(wrong)


def differences(runs: dict[str, list[str]], common: str) -> str:
    """Say under which conditions something else came than what came most often."""
    parts = []
    for condition, given in runs.items():
        others = [one for one in given if one != common and not one.startswith(SKIPPED)]
        if others:
            parts.append(f"{condition}: {len(others)} of {len(given)}, such as {others[0]}")
    return "DIFFERS: " + "; ".join(parts) if parts else ""


if __name__ == "__main__":
    sys.exit(main())
