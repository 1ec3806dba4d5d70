"""What each server does with each kind of misbehaviour: real runs, over real sockets.

    make server-table

The misbehaving apps of the tests run on each server; a client asks each once. What the server
raised into the app, logged, or let pass, and what the client saw, is written with versions and date
to `asgi_lab/spec/server_table.json`, which diagnoses quote, and to `notebooks/servers.md`, to be
read.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from asgi_lab.adapters.process import free_port
from asgi_lab.adapters.servers import SERVERS, Options
from asgi_lab.client import Result, SocketDoor, close, get, pause, perform, request, wait_ready, ws
from asgi_lab.spec.rules import rules
from proofs.misbehaving_host import CASES
from tests.misbehaving.table import Case

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "asgi_lab" / "spec" / "server_table.json"
PAGE = ROOT / "notebooks" / "servers.md"

HOST = "127.0.0.1"
PATIENCE = 2.0
"""Seconds after which a client has been left waiting."""

QUIET = 1.0
"""Seconds that a client of a WebSocket waits for what comes, before it closes."""

RUNS: dict[str, tuple[str, Options]] = {
    "uvicorn-h11": ("uvicorn", Options(http="h11")),
    "uvicorn-httptools": ("uvicorn", Options(http="httptools")),
    "hypercorn": ("hypercorn", Options()),
    "daphne": ("daphne", Options()),
    "granian": ("granian", Options()),
}

REACTIONS = ("raised", "logged", "silent", "hangs", "dies")


class Served:
    """A server that serves the misbehaving apps, and what it prints."""

    def __init__(self, name: str, options: Options) -> None:
        self.port = free_port(HOST, 0)
        known = SERVERS[name]
        settings = Options(port=self.port, http=options.http)
        argv = [sys.executable, "-m", name, *known.command(settings, "asgi")]
        self.process = subprocess.Popen(
            [*argv, "proofs.misbehaving_host:app"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            process_group=0,
        )
        self.lines: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.decode("utf-8", "replace"))

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.port}"

    def stop(self) -> None:
        """End it, and its workers."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def asking(case: Case) -> Any:
    """Return the request that brings a case about."""
    if case.scope["type"] == "websocket":
        texts = [m["text"] for m in case.incoming if m["type"] == "websocket.receive"]
        protocols = case.scope.get("subprotocols") or ()
        steps = (*texts, pause(QUIET), close())
        return ws(f"/ws/{case.name}", *steps, subprotocols=protocols)
    body = b"".join(m.get("body", b"") for m in case.incoming)
    return request(case.scope["method"], f"/http/{case.name}", body)


def client_saw(result: Result) -> str:
    """Return what the client saw, in a word or two."""
    if result.error.startswith(("no answer within", "answer unfinished")):
        return "nothing (waited)"
    if result.close_code is not None and result.seconds >= QUIET:
        return "left open"  # until the client closed: some servers answer with a code of their own
    if result.close_code is not None:
        return f"closed with {result.close_code}"
    if result.error:
        return f"{result.status or ''} cut".strip()
    return str(result.status)


async def met(served: Served, case: Case) -> dict[str, str]:
    """Run one case; return how the server reacted, and what the client saw."""
    before = len(served.lines)
    door = SocketDoor(served.url)
    (result,) = await perform(door, [asking(case)], timeout=PATIENCE)
    await asyncio.sleep(0.05)  # for what is logged
    if served.process.poll() is not None:
        return {"reaction": "dies", "client": client_saw(result)}
    (told,) = await perform(door, [get(f"/report/{case.name}")], timeout=PATIENCE)
    seen: dict[str, Any] = json.loads(told.body) if told.status == 200 and told.body else {}
    if not seen and told.error:
        return {"reaction": "dies", "client": client_saw(result)}
    saw = client_saw(result)
    logged = any(line.strip() for line in served.lines[before:])
    if seen.get("raised"):
        reaction = "raised"
    elif saw in ("nothing (waited)", "left open"):
        reaction = "hangs"
    else:
        reaction = "logged" if logged else "silent"
    more = {"error": seen["raised"]} if seen.get("raised") else {}
    return {"reaction": reaction, "client": saw, **more}


async def on(name: str) -> dict[str, dict[str, str]]:
    """Run all cases on one server."""
    server, options = RUNS[name]
    served, found = Served(server, options), {}
    try:
        await wait_ready(HOST, served.port, 20.0)
        for case in CASES.values():
            found[case.name] = await met(served, case)
            if found[case.name]["reaction"] == "dies":
                served.stop()
                served = Served(server, options)
                await wait_ready(HOST, served.port, 20.0)
    finally:
        served.stop()
    return found


def measure() -> dict[str, Any]:
    """Return the whole table."""
    began = time.perf_counter()
    columns: dict[str, dict[str, dict[str, str]]] = {}
    for name in RUNS:
        columns[name] = asyncio.run(on(name))
        counted = Counter(seen["reaction"] for seen in columns[name].values())
        print(f"{name:18} {dict(counted)}  {time.perf_counter() - began:.0f} s", flush=True)
    rows = [
        {
            "case": case.name,
            "rules": list(case.rules),
            "protocol": case.scope["type"],
            "servers": {name: columns[name][case.name] for name in RUNS},
        }
        for case in CASES.values()
    ]
    versions = {name: version(server) for name, (server, _) in RUNS.items()}
    versions["wsproto"] = version("wsproto")
    python = ".".join(map(str, sys.version_info[:3]))
    return {
        "measured": date.today().isoformat(),
        "python": python,
        "versions": versions,
        "rows": rows,
    }


WORDS = {"raised": "raises", "logged": "logs", "silent": "–", "hangs": "**hangs**",
         "dies": "**dies**"}  # fmt: skip


def page(table: dict[str, Any]) -> str:
    """Return the table as Markdown."""
    names = list(RUNS)
    lines = [
        "# What servers do with apps that break a rule",
        "",
        f"Measured on {table['measured']}, Python {table['python']}, by `make server-table`: each "
        "misbehaving app of",
        "`tests/misbehaving` on each server, one request each, over real sockets. Uvicorn speaks",
        f"WebSocket by wsproto {table['versions']['wsproto']}.",
        "",
        "*raises*: `send()` raises, so the app learns of it · *logs*: only the server's log tells",
        "· –: nobody is told · *hangs*: the client had no answer in 2 s, or no close in 1 s ·",
        "*dies*: the server's process ended. After it: what the client saw.",
        "",
        "| | " + " | ".join(f"{name} {table['versions'][name]}" for name in names) + " |",
        "|---" * (len(names) + 1) + "|",
    ]
    for reaction in REACTIONS:
        counts = [
            sum(row["servers"][name]["reaction"] == reaction for row in table["rows"])
            for name in names
        ]
        lines.append(f"| {WORDS[reaction]} | " + " | ".join(map(str, counts)) + " |")
    known = rules()
    for rule in known:
        rows = [row for row in table["rows"] if rule in row["rules"]]
        if rows:
            lines += ["", f"**{rule}** {known[rule].sentence}", ""]
            lines += ["| the app | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
            for row in rows:
                cells = [cell(row["servers"][name]) for name in names]
                lines.append(f"| {row['case'].replace('_', ' ')} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def cell(seen: dict[str, str]) -> str:
    """Return one cell: the reaction, and what the client saw."""
    error = f" {seen['error']}" if "error" in seen else ""
    return f"{WORDS[seen['reaction']]}{error}; {seen['client']}"


def main() -> None:
    """Measure, and write both files."""
    table = measure()
    TABLE.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(table), encoding="utf-8")
    print(f"{len(table['rows'])} kinds of misbehaviour; written to {TABLE.name} and {PAGE.name}")


if __name__ == "__main__":
    main()
