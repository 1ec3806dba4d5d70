"""What is known of a connection while its messages are checked: an immutable value."""

from collections.abc import Callable
from typing import Any, NamedTuple

from asgi_lab.spec.values import length, pairs
from asgi_lab.spec.walk import Standing


class Finding(NamedTuple):
    """A rule that was broken, and what was seen of it."""

    rule: str
    what: str
    type: str = ""
    """The type of the message, if it was one."""


class Request(NamedTuple):
    """What the scope says that matters later."""

    type: str = ""
    method: str = ""
    version: tuple[int, ...] = ()
    """The spec version that the server claims, if it does."""
    offers: frozenset[str] = frozenset()
    """The extensions that it offers."""
    subprotocols: tuple[str, ...] | None = ()
    """Those that the client offers; None if they cannot be read without using them up."""
    wants: int | None = None
    """The request's content-length, in bytes."""
    chunked: bool = False
    """Whether the request came in chunks, so that its length is not known."""


class Progress(NamedTuple):
    """How far request and response have come."""

    got: int = 0
    """Bytes of the request's body so far."""
    status: int = 0
    """The response's status, once it has begun."""
    declared: int | None = None
    """Its content-length, in bytes."""
    sent: int = 0
    """Bytes of its body so far, if a content-length is declared."""
    debugged: bool = False
    """Whether http.response.debug was sent."""


class Marks(NamedTuple):
    """What went wrong so far, and makes other things follow from it, which are no news."""

    broken: bool = False
    """Whether the app broke the order of messages."""
    refused: bool = False
    """Whether the server has raised at a message."""
    faulty: bool = False
    """Whether the server has broken a rule: the app may well stumble over that."""
    misled: bool = False
    """Whether nobody can say where the conversation stands: what follows is no news."""
    doubtful: bool = False
    """Whether something was wrong with a message, or could not be looked at: the server may well
    stumble over that later."""
    waits: bool = False
    """Whether the app asks for a message that cannot come before it answers."""


class Case(NamedTuple):
    """A connection at one door: where its conversation stands, and what matters of it."""

    standing: Standing | None
    """None if the scope's type is not known: then nothing can be said of messages."""
    request: Request = Request()
    progress: Progress = Progress()
    marks: Marks = Marks()

    @property
    def type(self) -> str:
        """The scope's type."""
        return self.request.type

    @property
    def stands(self) -> str:
        """The state of what the app has to say."""
        return self.standing.at[-1] if self.standing else ""

    @property
    def heard(self) -> str:
        """The state of what the app has been told."""
        return self.standing.at[0] if self.standing else ""

    def goes(self, standing: Standing) -> "Case":
        """Return the case with its conversation elsewhere."""
        return Case(standing, self.request, self.progress, self.marks)

    def comes(self, **progress: Any) -> "Case":
        """Return the case with more of request or response."""
        return self._replace(progress=self.progress._replace(**progress))

    def marked(self, **marks: bool) -> "Case":
        """Return the case with what went wrong."""
        return self._replace(marks=self.marks._replace(**marks))


Check = Callable[[Case, Any], str]
"""Says what is wrong with a message, or with a scope, or nothing."""

CHECKS: dict[tuple[str, str], list[tuple[str, Check]]] = {}
"""What is asked of a message, by verb and type: the rule's id, and the check."""


def check(rule: str, verb: str, *types: str) -> Callable[[Check], Check]:
    """Register what a rule asks of messages of these types."""

    def register(function: Check) -> Check:
        for kind in types:
            CHECKS.setdefault((verb, kind), []).append((rule, function))
        return function

    return register


def open_case(scope: Any, standing: Standing | None) -> Case:
    """Return what a scope says that matters later, however broken it is."""
    asgi, extensions = scope.get("asgi"), scope.get("extensions")
    headers, subprotocols = scope.get("headers"), scope.get("subprotocols", ())
    version = asgi.get("spec_version") if isinstance(asgi, dict) else None
    chunked = any(name.lower() == b"transfer-encoding" for name, _ in pairs(headers))
    request = Request(
        type=str(scope.get("type")),
        method=str(scope.get("method") or ""),
        version=read_version(version),
        offers=frozenset(extensions) if isinstance(extensions, dict) else frozenset(),
        subprotocols=tuple(subprotocols) if isinstance(subprotocols, (list, tuple)) else None,
        wants=None if chunked else length(headers),
        chunked=chunked,
    )
    return Case(standing, request)


def read_version(version: object) -> tuple[int, ...]:
    """Return a spec version as numbers; none if it is none.

    >>> read_version("2.3")
    (2, 3)
    """
    if isinstance(version, str) and version.replace(".", "").isdigit():
        return tuple(int(part) for part in version.split(".") if part)
    return ()
