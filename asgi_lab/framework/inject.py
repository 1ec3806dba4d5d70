"""Dependency injection: a handler's parameters say what it needs; their annotations say from where.

    async def page(
        request: Request,                          # Known: the connection, the background tasks
        id: int,                                   # Value: a parameter of the path, or of the query
        order: Order,                              # Value: a dataclass is the JSON body
        db: Annotated[Db, Depends(open_db)],       # Dependency: what another function returns
        q: str = "",                               # may be missing
    ) -> Response: ...

The signature is read once, when the route is made; a request only follows the plan. A dependency
is a function with parameters of the same kind, called once a request. One that yields is closed
after the response, the last one first, and sees an exception of the handler at its `yield`.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, is_dataclass
from typing import Annotated, Any, get_args, get_origin

from asgi_lab.framework.background import BackgroundTasks
from asgi_lab.framework.calling import as_context, call
from asgi_lab.framework.convert import Mismatch, check, convert
from asgi_lab.framework.exceptions import HTTPError
from asgi_lab.framework.requests import HTTPConnection, Request

MISSING: Any = inspect.Parameter.empty


@dataclass(frozen=True)
class Depends:
    """The value is what `function` returns, or yields. With `once` false, anew for each use."""

    function: Callable[..., Any]
    once: bool = True


@dataclass(frozen=True)
class Body:
    """The value is the whole body, which is JSON. Dataclasses and dicts need not say so."""


@dataclass
class Injection:
    """What one request's parameters are taken from, and what was opened for them."""

    connection: HTTPConnection
    opened: AsyncExitStack
    background: BackgroundTasks
    found: dict[Any, Any] = field(default_factory=dict)
    """What each Value was converted to, and what each dependency's function returned."""


class Plan:
    """How to call a function: where each parameter comes from.

    Raises TypeError for a parameter that nothing could be given to.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.sources: dict[str, Source] = {
            each.name: source_of(function, each) for each in parameters_of(function)
        }

    async def call(self, injection: Injection) -> Any:
        """Call the function with what it needs. Raises HTTPError 422, or what it raises.

        All that the client wrote is converted first: for an invalid request nothing is opened.
        """
        problems = []
        for value in self.values():
            try:
                injection.found[value] = await value.read(injection.connection)
            except Mismatch as mismatch:
                problem = value.problem(mismatch, injection.connection)
                if problem not in problems:
                    problems.append(problem)
        if problems:
            raise HTTPError(422, {"errors": problems})
        return await call(self.function, **await self.arguments(injection))

    def values(self) -> Iterator["Value"]:
        """Yield what the client writes: for the function, then for its dependencies."""
        yield from (each for each in self.sources.values() if isinstance(each, Value))
        for source in self.sources.values():
            if isinstance(source, Dependency):
                yield from source.plan.values()

    async def arguments(self, injection: Injection) -> dict[str, Any]:
        """Return what the function needs; that opens its dependencies."""
        return {name: await source.get(injection) for name, source in self.sources.items()}


@dataclass(frozen=True)
class Known:
    """A parameter that is there already: `connection` or `background`."""

    name: str

    async def get(self, injection: Injection) -> Any:
        """Return it."""
        return getattr(injection, self.name)


@dataclass(frozen=True, eq=False)
class Value:
    """A parameter that the client writes: in the path, the query, or the body."""

    name: str
    wanted: Any
    default: Any
    in_body: bool

    async def get(self, injection: Injection) -> Any:
        """Return what was read."""
        return injection.found[self]

    async def read(self, connection: HTTPConnection) -> Any:
        """Return the value in this request. Raises Mismatch."""
        is_list = (get_origin(self.wanted) or self.wanted) is list
        if self.in_body:
            written = await self._body(connection)
        elif self.name in connection.path_params:
            written = connection.path_params[self.name]
        elif is_list:
            written = connection.query.all(self.name) or MISSING
        else:
            written = connection.query.get(self.name, MISSING)
        if written is not MISSING:
            return convert(written, self.wanted)
        if self.default is not MISSING:
            return self.default
        if is_list and not self.in_body:
            return []
        raise Mismatch("a value", None)

    async def _body(self, connection: HTTPConnection) -> Any:
        if not isinstance(connection, Request):
            raise TypeError(f"{self.name} is read from the body, which a WebSocket has not")
        if self.default is not MISSING and not await connection.body():
            return MISSING
        return await connection.json()

    def problem(self, mismatch: Mismatch, connection: HTTPConnection) -> dict[str, Any]:
        """Return what is wrong, for the client."""
        if self.in_body:
            place, names = "body", [mismatch.place]
        else:
            place = "path" if self.name in connection.path_params else "query"
            names = [self.name, mismatch.place]
        name = ".".join(filter(None, names))
        return {"in": place, "name": name, "expected": mismatch.expected, "got": mismatch.got}


class Dependency:
    """A parameter that another function provides."""

    def __init__(self, depends: Depends) -> None:
        self.once = depends.once
        self.plan = Plan(depends.function)
        self._as_context = as_context(depends.function)

    async def get(self, injection: Injection) -> Any:
        """Call the function, unless it was called in this request; close it after, if it yields."""
        function = self.plan.function
        if self.once and function in injection.found:
            return injection.found[function]
        arguments = await self.plan.arguments(injection)
        if self._as_context is None:
            value = await call(function, **arguments)
        else:
            value = await injection.opened.enter_async_context(self._as_context(**arguments))
        injection.found[function] = value
        return value


Source = Known | Value | Dependency


def source_of(function: Callable[..., Any], parameter: inspect.Parameter) -> Source:
    """Return what provides a parameter. Raises TypeError if nothing can."""
    name, wanted, marks = parameter.name, parameter.annotation, []
    if isinstance(parameter.default, Depends | Body):
        mark = type(parameter.default).__name__
        raise TypeError(f"{function}: write {name}: Annotated[..., {mark}(...)], not {name}={mark}")
    if get_origin(wanted) is Annotated:
        wanted, *marks = get_args(wanted)
    for mark in marks:
        if isinstance(mark, Depends):
            return Dependency(mark)
    if wanted is BackgroundTasks:
        return Known("background")
    if is_connection(name, wanted):
        return Known("connection")
    wanted = str if wanted is MISSING else wanted
    try:
        check(wanted)
    except TypeError as error:
        hint = "say where it comes from: Annotated[..., Depends(function)]"
        raise TypeError(f"{function}: {name}: {error}; {hint}") from None
    in_body = is_object(wanted) or any(isinstance(mark, Body) for mark in marks)
    return Value(name, wanted, parameter.default, in_body)


def parameters_of(function: Callable[..., Any]) -> Iterator[inspect.Parameter]:
    """Yield the parameters of a function, their annotations evaluated.

    Raises TypeError for what has no names to be given by.
    """
    try:
        signature = inspect.signature(function, eval_str=True)
    except NameError as error:
        raise TypeError(f"{function}: an annotation cannot be evaluated: {error}") from None
    for parameter in signature.parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            hint = "a decorator between should use functools.wraps"
            raise TypeError(f"{function}: *{parameter.name} cannot be injected; {hint}")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise TypeError(f"{function}: {parameter.name} cannot be given by name")
        yield parameter


def is_object(wanted: Any) -> bool:
    """Whether it is written as a JSON object, or has some in it: too much for a query."""
    if is_dataclass(wanted) or (get_origin(wanted) or wanted) is dict:
        return True
    return any(map(is_object, get_args(wanted)))


def is_connection(name: str, wanted: Any) -> bool:
    """Whether a parameter is the connection: by its annotation or, without one, by its name."""
    if wanted is MISSING:
        return name in ("request", "socket", "websocket", "connection")
    return isinstance(wanted, type) and issubclass(wanted, HTTPConnection)
