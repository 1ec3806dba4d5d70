"""The rules of ASGI: each with an id, in plain words, with its section and what to do about it.

    >>> find("h6").sentence
    'Names of response headers are lowercase.'

The order of messages is in `states`; what a message must hold is in `checks`. Both name rules by
their ids, and this is where an id is looked up. The weights are our judgement: what the
specification calls *must*, what it recommends (*should*), what is allowed and does harm all the
same (*warn*), and what is worth knowing (*note*).
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

MUST: Literal["must"] = "must"
SHOULD: Literal["should"] = "should"
WARN: Literal["warn"] = "warn"
NOTE: Literal["note"] = "note"
Weight = Literal["must", "should", "warn", "note"]

DOCUMENTS = {
    "main": ("ASGI", "specs/main.html"),
    "www": ("HTTP & WebSocket", "specs/www.html"),
    "lifespan": ("Lifespan", "specs/lifespan.html"),
    "tls": ("TLS", "specs/tls.html"),
    "extensions": ("Extensions", "extensions.html"),
}
"""The parts of the specification, as rules name them: their titles, and where they are."""

SPECIFICATION = "https://asgi.readthedocs.io/en/latest/"


@dataclass(frozen=True, slots=True)
class Section:
    """A place in the specification, or in an RFC: `www:Response Start - send event`."""

    reference: str

    @property
    def title(self) -> str:
        """What to look for: `HTTP & WebSocket, Response Start - send event`."""
        document, _, section = self.reference.partition(":")
        if document not in DOCUMENTS:
            return self.reference
        return f"{DOCUMENTS[document][0]}, {section}"

    @property
    def url(self) -> str:
        """Where it can be read."""
        document, _, section = self.reference.partition(":")
        if document in DOCUMENTS:
            slug = re.sub(r"[^a-z0-9]+", "-", section.lower()).strip("-")
            return f"{SPECIFICATION}{DOCUMENTS[document][1]}#{slug}"
        number, _, part = self.reference.removeprefix("RFC ").partition(" ")
        return f"https://www.rfc-editor.org/rfc/rfc{number}#section-{part}"


@dataclass(frozen=True, slots=True)
class Rule:
    """What must be so, who sees to it, and what to do if it is not."""

    id: str
    weight: Weight
    sentence: str
    remedy: str
    where: tuple[Section, ...]
    breaker: Literal["app", "server"]
    wire: bool = False
    """Whether no message shows a breach of it, only what the server does on the wire."""

    @property
    def seen(self) -> str:
        """Where a breach of it can be seen."""
        if self.wire:
            return "not in the messages, only in what the server does on the wire: not checked"
        return "in the messages, on every server"


def table(breaker: Literal["app", "server"], *rows: tuple[str, ...]) -> dict[str, Rule]:
    """Return rules by id, from rows of id, weight, sections (`|` between), sentence, remedy."""
    rules: dict[str, Rule] = {}
    for name, weight, where, sentence, remedy, *more in rows:
        sections = tuple(Section(reference) for reference in where.split(" | "))
        rules[name] = Rule(name, weight, sentence, remedy, sections, breaker, "wire" in more)  # type: ignore[arg-type]
    return rules


def rules() -> Mapping[str, Rule]:
    """Return all rules by id: those for apps, then those for servers."""
    from asgi_lab.spec.app_rules import APP_RULES
    from asgi_lab.spec.server_rules import SERVER_RULES

    return {**APP_RULES, **SERVER_RULES}


GROUPS = (
    ("What an app must keep", "G", "always"),
    ("", "H", "HTTP"),
    ("", "W", "WebSocket"),
    ("", "L", "lifespan"),
    ("", "X", "extensions"),
    ("What a server must keep", "S", "the scope"),
    ("", "R", "what receive() delivers"),
    ("", "A", "what becomes of what the app sends"),
    ("", "W-", "WebSocket"),
    ("", "L-", "lifespan"),
)
"""How rules are listed: a heading, the letters that their ids begin with, what they are about."""


def group(name: str) -> str:
    """Return the letters with which an id begins: `H` of H12, `W-` of W-S1.

    >>> [group(name) for name in ("H12", "W8", "W-S1", "L-2")]
    ['H', 'W', 'W-', 'L-']
    """
    return name[:2] if name[1:2] == "-" else name[:1]


def find(name: str) -> Rule:
    """Return a rule by its id, in capitals or not. Raises `KeyError` that says what is near."""
    known = rules()
    if rule := known.get(name.strip().upper()):
        return rule
    near = difflib.get_close_matches(name.upper(), known, n=4, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}?" if near else "asgi-lab rules lists them all"
    raise KeyError(f"expected the id of a rule, such as H1 or W-R2, got {name!r}; {hint}")
