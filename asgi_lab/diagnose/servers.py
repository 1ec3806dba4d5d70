"""What servers do with an app that breaks a rule: measured, and quoted where it helps.

The figures are in `asgi_lab/spec/server_table.json`, written by `make server-table`.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any

WORDS = {
    "raised": ("raises at it", "raise at it"),
    "logged": ("only logs it", "only log it"),
    "silent": ("says nothing", "say nothing"),
    "hangs": ("leaves the client waiting", "leave the client waiting"),
    "dies": ("dies of it", "die of it"),
}
"""How each reaction is told, most helpful first."""

PROPER = {"uvicorn-h11": "Uvicorn (h11)", "uvicorn-httptools": "Uvicorn (httptools)",
          "hypercorn": "Hypercorn", "daphne": "Daphne", "granian": "Granian"}  # fmt: skip


@cache
def table() -> dict[str, Any]:
    """Return the table as it was measured; empty if there is none."""
    try:
        text = files("asgi_lab.spec").joinpath("server_table.json").read_text(encoding="utf-8")
    except OSError:
        return {}
    known: dict[str, Any] = json.loads(text)
    return known


def reactions(rule: str) -> str:
    """Return what servers do when an app breaks a rule: `Uvicorn raises at it; Daphne ...`."""
    counted: dict[str, dict[str, int]] = {}
    for row in table().get("rows", ()):
        if rule in row["rules"]:
            for server, seen in row["servers"].items():
                counted.setdefault(server, {})
                reaction = seen["reaction"]
                counted[server][reaction] = counted[server].get(reaction, 0) + 1
    grouped: dict[str, list[str]] = {}
    for server, seen in counted.items():
        most = max(seen, key=lambda reaction: seen[reaction])
        grouped.setdefault(most, []).append(PROPER.get(server, server))
    told = []
    for what, (one, many) in WORDS.items():
        if names := merged(grouped.get(what, [])):
            told.append(f"{joined(names)} {one if len(names) == 1 else many}")
    return f"{'; '.join(told)}." if told else ""


def merged(names: list[str]) -> list[str]:
    """Return names with both parsers of Uvicorn as one."""
    both = {"Uvicorn (h11)", "Uvicorn (httptools)"}
    if not both <= set(names):
        return names
    return ["Uvicorn", *(name for name in names if name not in both)]


def joined(names: list[str]) -> str:
    """Return names as a sentence has them."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def closes(case: str) -> dict[str, str]:
    """Return, by server, with which code a browser sees a socket close in a case of the table."""
    row = next((row for row in table().get("rows", ()) if row["case"] == case), None)
    codes: dict[str, str] = {}
    for server, seen in (row["servers"] if row else {}).items():
        what = str(seen["client"])
        code = what.removeprefix("closed with ") if what.startswith("closed") else "1006"
        codes.setdefault(server.partition("-")[0], "no close" if what == "left open" else code)
    return codes
