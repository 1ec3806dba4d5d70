"""`asgi-lab rules`: what ASGI asks of apps and servers, listed, or one in full."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from asgi_lab.commands.output import fail, make_console
from asgi_lab.spec.examples import right_form, where_to_look
from asgi_lab.spec.rules import GROUPS, Rule, find, group, rules

WEIGHTS = {"must": "bold", "should": "", "warn": "yellow", "note": "dim"}


def run_rules(name: str | None, style: str) -> int:
    """Print the rules, or one; return the exit code."""
    try:
        chosen = [find(name)] if name else list(rules().values())
    except KeyError as error:
        return fail(str(error.args[0]))
    console = make_console()[0]
    if style == "json":
        found = [as_json(rule) for rule in chosen]
        json.dump(found[0] if name else found, console.file, indent=2)
        console.file.write("\n")
        console.file.flush()
    elif name:
        for line in told(chosen[0]):
            console.print(Text(line), soft_wrap=True)
    else:
        listed(console, chosen)
    return 0


def as_json(rule: Rule) -> dict[str, Any]:
    """Return a rule as JSON holds it."""
    return {
        "id": rule.id,
        "weight": rule.weight,
        "breaker": rule.breaker,
        "sentence": rule.sentence,
        "remedy": rule.remedy,
        "example": right_form(rule.id),
        "look": where_to_look(rule.id),
        "seen": rule.seen,
        "where": [{"title": section.title, "url": section.url} for section in rule.where],
    }


def told(rule: Rule) -> Iterator[str]:
    """Yield a rule in full."""
    yield f"{rule.id}  {rule.sentence}"
    yield ""
    yield f"  kept by    {'the app, or a middleware' if rule.breaker == 'app' else 'the server'}"
    yield f"  weight     {rule.weight}"
    yield f"  remedy     {rule.remedy}"
    for number, line in enumerate(right_form(rule.id).splitlines()):
        yield f"  {'' if number else 'example':9}  {line}"
    yield f"  seen       {rule.seen}"
    if look := where_to_look(rule.id):
        yield f"  {'look':9}  {look}"
    for number, section in enumerate(rule.where):
        yield f"  {'' if number else 'read':9}  {section.title}"
        yield f"  {'':9}  {section.url}"


def listed(console: Console, chosen: Iterable[Rule]) -> None:
    """Print all rules, in groups."""
    for heading, letters, about in GROUPS:
        if heading:
            console.print(Text(f"\n{heading}", style="bold"))
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(min_width=5, no_wrap=True)
        grid.add_column(min_width=6, no_wrap=True)
        grid.add_column(overflow="fold")
        for rule in chosen:
            if group(rule.id) == letters:
                weight = Text(rule.weight, style=WEIGHTS[rule.weight])
                sentence = Text(rule.sentence)
                if rule.wire:
                    sentence.append("  (on the wire: not checked)", style="dim")
                grid.add_row(Text(rule.id), weight, sentence)
        console.print(Text(f"\n  {about}", style="dim"))
        console.print(Padding(grid, (0, 0, 0, 2)))
    console.print(Text("\nOne in full: asgi-lab rules H1"))
