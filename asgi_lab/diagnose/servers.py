"""What servers do with an app that breaks a rule: measured, and quoted where it helps.

The figures are in `asgi_lab/spec/server_table.json`, written by `make server-table`.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any

WORDS = {
    "raised": "{} raises at it",
    "logged": "{} only logs it",
    "silent": "{} says nothing",
    "hangs": "{} leaves the client waiting",
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
    told = [WORDS[what].format(joined(grouped[what])) for what in WORDS if what in grouped]
    text = "; ".join(told)
    return f"{text}." if text else ""


def joined(names: list[str]) -> str:
    """Return names as a sentence has them; both parsers of Uvicorn are one."""
    both = {"Uvicorn (h11)", "Uvicorn (httptools)"}
    if both <= set(names):
        names = ["Uvicorn", *(name for name in names if name not in both)]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
