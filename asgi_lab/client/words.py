"""The words in which a workload is written: `get("/slow")`, `ws("/chat", "hi", expect("hi"))`.

    await run(app, get("/"), post("/items", json={"a": 1}))
    await run(app, every(0.1, 20 * [get("/slow")]))
    await run(app, 50 * [user(get("/a"), pause(1.0), get("/b"))])
    await run(app, get("/stream", hang_up=after(bytes=100)))

Each word makes immutable data (`Request`, `User`), or raises ValueError saying what it takes.
"""

import json as json_
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypedDict, TypeVar, Unpack

from asgi_lab.client.parse import content_type
from asgi_lab.client.request import Headers, Request, check_method, on_the_wire
from asgi_lab.client.steps import After, Chunks, Close, Expect, Pause, Step, check_seconds

pause = Pause
expect = Expect
close = Close
after = After

GivenHeaders = Mapping[str, str] | Iterable[tuple[str, str]]
Body = bytes | str | Sequence[bytes | str | Pause]


@dataclass(frozen=True, slots=True)
class User:
    """One client that does one thing after another, on one connection while the server keeps it."""

    steps: tuple[Request | Pause, ...]
    at: float = 0.0

    def __post_init__(self) -> None:
        check_seconds("at", self.at)
        for step in self.steps:
            if not isinstance(step, Request | Pause):
                raise ValueError(f"a user does requests and pauses; got {step!r}")
            if isinstance(step, Request) and step.at:
                raise ValueError(f"within a user, write pause({step.at:g}) before {step}, not at=")

    def __str__(self) -> str:
        return ", ".join(map(str, self.steps))


Client = Request | User
Clients = Client | Iterable["Clients"]
"""A client, or lists of them, nested as may be."""


class Behaviour(TypedDict, total=False):
    """How a client behaves: `at`, `think` (s), `hang_up`, `read_rate` (bytes/s); see `Request`."""

    at: float
    think: float
    hang_up: After | None
    read_rate: float | None


class Simple(Behaviour, total=False):
    """What may be said of a request without a body."""

    headers: GivenHeaders


class Full(Simple, total=False):
    """What may be said of a request with a body."""

    json: Any


Some = TypeVar("Some", Request, User, Request | User)


def request(
    method: str,
    path: str,
    body: Body = b"",
    *,
    json: Any = ...,
    headers: GivenHeaders = (),
    **behaviour: Unpack[Behaviour],
) -> Request:
    """Ask anything of a server.

    `body` is bytes, str (UTF-8), or a list of chunks and pauses, which is sent chunked; `json`, in
    its place, anything that JSON holds. Unless `headers` name a content-type, a body gets the one
    it looks like. `behaviour`: `at`, `think`, `hang_up`, `read_rate`; see `Request`.

    Raises ValueError for what cannot be sent.
    """
    check_method(method := method.upper() if isinstance(method, str) else method)
    if method == "WS":
        raise ValueError(f"a WebSocket is written ws({path!r}, ...)")
    if json is not ...:
        if body:
            raise ValueError("give body or json, not both")
        body = json_.dumps(json, ensure_ascii=False, separators=(",", ":"))
    content = _content(body)
    pairs = _pairs(headers)
    if json is not ...:
        kind = "application/json"
    else:
        kind = content_type(content) if isinstance(content, bytes) and content else ""
    if kind and not any(name.lower() == "content-type" for name, _ in pairs):
        pairs = (*pairs, ("content-type", kind))
    return Request(method, _path(path), pairs, content, **behaviour)


def get(path: str, **more: Unpack[Simple]) -> Request:
    """GET. `more`: headers, at, think, hang_up, read_rate; see `request`."""
    return request("GET", path, **more)


def head(path: str, **more: Unpack[Simple]) -> Request:
    """HEAD. `more`: headers, at, think, hang_up, read_rate; see `request`."""
    return request("HEAD", path, **more)


def options(path: str, **more: Unpack[Simple]) -> Request:
    """OPTIONS. `more`: headers, at, think, hang_up, read_rate; see `request`."""
    return request("OPTIONS", path, **more)


def delete(path: str, **more: Unpack[Simple]) -> Request:
    """DELETE. `more`: headers, at, think, hang_up, read_rate; see `request`."""
    return request("DELETE", path, **more)


def post(path: str, body: Body = b"", **more: Unpack[Full]) -> Request:
    """POST. `more`: json, headers, at, think, hang_up, read_rate; see `request`."""
    return request("POST", path, body, **more)


def put(path: str, body: Body = b"", **more: Unpack[Full]) -> Request:
    """PUT. `more`: json, headers, at, think, hang_up, read_rate; see `request`."""
    return request("PUT", path, body, **more)


def patch(path: str, body: Body = b"", **more: Unpack[Full]) -> Request:
    """PATCH. `more`: json, headers, at, think, hang_up, read_rate; see `request`."""
    return request("PATCH", path, body, **more)


def ws(
    path: str,
    *steps: Step,
    headers: GivenHeaders = (),
    subprotocols: Sequence[str] = (),
    **behaviour: Any,
) -> Request:
    """Hold a WebSocket conversation: connect, then take the steps in order.

    A str is sent as text and bytes as binary; `expect(x)` waits for the next message, `pause(1.0)`
    one second, `close(1000)` closes. Without a `close`, the client closes with 1000 at the end: at
    once after a script with `expect`, else once the server has been quiet for a while.
    `behaviour`: `at`, `think`, `hang_up`, `read_rate`; see `Request`.

    Raises ValueError for what cannot be sent.
    """
    pairs = _pairs(headers)
    if isinstance(subprotocols, str):
        raise ValueError(f"subprotocols is a list of names; got {subprotocols!r}")
    if subprotocols:
        pairs = (*pairs, ("sec-websocket-protocol", ", ".join(subprotocols)))
    return Request("WS", _path(path), pairs, messages=steps, **behaviour)


def user(*steps: Request | Pause, at: float = 0.0) -> User:
    """One client, from `at` seconds on: `user(get("/a"), pause(1.0), get("/b"))`."""
    return User(steps, at)


def every(seconds: float, clients: Iterable[Some]) -> tuple[Some, ...]:
    """Let the clients arrive one by one, so many seconds apart; the first begins at its `at`."""
    check_seconds("the time between arrivals", seconds)
    return tuple(_later(client, number * seconds) for number, client in enumerate(clients))


def poisson(rate_per_second: float, clients: Iterable[Some], seed: int = 1) -> tuple[Some, ...]:
    """Let the clients arrive at random: so many a second on average, independent of each other.

    The same seed gives the same arrivals.
    """
    if not isinstance(rate_per_second, int | float) or not rate_per_second > 0:
        raise ValueError(f"a rate is above 0 per second; got {rate_per_second!r}")
    chance = random.Random(seed)
    found, at = [], 0.0
    for client in clients:
        at += chance.expovariate(rate_per_second)
        found.append(_later(client, at))
    return tuple(found)


def each(clients: Clients) -> Iterator[Client]:
    """Yield the clients of nested lists, in the order written. Raises ValueError for all else."""
    if isinstance(clients, Request | User):
        yield clients
    elif isinstance(clients, Iterable) and not isinstance(clients, str | bytes):
        for some in clients:
            yield from each(some)
    else:
        raise ValueError(f'a client is a request such as get("/"), or a user; got {clients!r}')


def _later(client: Some, seconds: float) -> Some:
    if not isinstance(client, Request | User):
        raise ValueError(f'expected clients such as get("/"), or users; got {client!r}')
    return replace(client, at=client.at + seconds) if seconds else client


def _path(path: str) -> str:
    if not isinstance(path, str) or not path.startswith("/"):
        raise ValueError(f'a path begins with "/", such as "/items"; got {path!r}')
    return on_the_wire(path)


def _pairs(headers: GivenHeaders) -> Headers:
    given = headers.items() if isinstance(headers, Mapping) else headers
    try:
        return tuple((name, value) for name, value in given)
    except (TypeError, ValueError):
        raise ValueError(f'headers are written {{"x-key": "1"}}; got {headers!r}') from None


def _content(body: Body) -> bytes | Chunks:
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes):
        return body
    if not isinstance(body, Sequence):
        raise ValueError(f"a body is bytes, str, or a list of chunks and pauses; got {body!r}")
    parts: Sequence[Any] = body
    return tuple(part.encode() if isinstance(part, str) else part for part in parts)
