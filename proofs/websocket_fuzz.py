"""The Autobahn test suite against our server, and others beside it.

python -m proofs.websocket_fuzz [--quick] [--server lab] [--server uvicorn]

The suite runs on Python 2.7 alone. Where there is none, or it cannot be installed, that is said by
name. Exits with 1 if our server fails a case.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from asgi_lab.adapters.process import free_port

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build" / "autobahn"
SLOW = ["9.*", "12.*", "13.*"]
"""Cases of limits, and of compression: minutes."""

COMMANDS = {
    "lab": ["-m", "asgi_lab", "serve", "proofs.echo:app", "--log-level", "critical"],
    "uvicorn": ["-m", "uvicorn", "proofs.echo:app", "--log-level", "critical"],
    "hypercorn": ["-m", "hypercorn", "proofs.echo:app", "--log-level", "CRITICAL"],
}
FINE = {"OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED"}


def main() -> int:
    """Run the suite, print what came out, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m proofs.websocket_fuzz")
    parser.add_argument("--quick", action="store_true", help="leave out the cases that take long")
    parser.add_argument("--server", action="append", choices=COMMANDS, help="default: lab")
    options = parser.parse_args()
    fuzzer = install()
    if isinstance(fuzzer, str):
        print(f"skipped: the Autobahn test suite: {fuzzer}")
        return 0
    failed = 0
    for server in options.server or ["lab"]:
        verdicts = fuzz(fuzzer, server, SLOW if options.quick else [])
        counts = Counter(verdict for verdict in verdicts.values())
        print(f"{server}: " + ", ".join(f"{count} {name}" for name, count in counts.most_common()))
        bad = [case for case, verdict in verdicts.items() if verdict not in FINE]
        if bad:
            print(f"  failed: {', '.join(bad)}")
        failed += bool(bad) and server == "lab"
    return 1 if failed else 0


def install() -> Path | str:
    """Return the fuzzer's program, installed if need be; or why there is none."""
    program = BUILD / "bin" / "wstest"
    if program.exists():
        return program
    found = [*Path.home().glob(".pyenv/versions/2.7*/bin/python"), shutil.which("python2.7")]
    python = next((str(path) for path in found if path), None)
    if python is None:
        return "there is no Python 2.7 here"
    steps = [
        [python, "-m", "pip", "install", "-q", "virtualenv<20.22"],
        [python, "-m", "virtualenv", "-q", str(BUILD)],
        [str(BUILD / "bin" / "pip"), "install", "-q", "autobahntestsuite"],
    ]
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"`{' '.join(step)}` failed: {done.stderr.strip()[-200:]}"
    return program


def fuzz(program: Path, server: str, left_out: list[str]) -> dict[str, str]:
    """Return the verdict of each case."""
    reports = BUILD / "reports" / server
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir(parents=True)
    with serving(server) as url:
        spec = {
            "outdir": str(reports),
            "servers": [{"agent": server, "url": url}],
            "cases": ["*"],
            "exclude-cases": left_out,
        }
        file = reports / "spec.json"
        file.write_text(json.dumps(spec))
        command = [str(program), "-m", "fuzzingclient", "-s", str(file)]
        subprocess.run(command, cwd=reports, capture_output=True, check=False)
    index = json.loads((reports / "index.json").read_text())
    return {case: verdict["behavior"] for case, verdict in index.get(server, {}).items()}


@contextmanager
def serving(server: str) -> Iterator[str]:
    """Serve the echo app while inside; the value is its URL."""
    port = free_port("127.0.0.1", 0)
    bind = ["--bind", f"127.0.0.1:{port}"] if server == "hypercorn" else ["--port", str(port)]
    command = [sys.executable, *COMMANDS[server], *bind]
    with subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as process:
        try:
            yield f"ws://127.0.0.1:{port}"
        finally:
            process.terminate()


if __name__ == "__main__":
    sys.exit(main())
