"""Dependency injection: a handler's parameters say what it needs; their annotations say from where.

    async def page(
        request: Request,                          # the connection: Request, WebSocket
        id: int,                                   # a parameter of the path, or of the query
        db: Annotated[Db, Depends(open_db)],       # what another function returns
        order: Order,                              # a dataclass: the JSON body
        q: str = "",                               # may be missing
    ) -> Response: ...

The signature is read once, when the route is made; a request only follows the plan. A dependency
is a function with parameters of the same kind, called once a request. One that yields is closed
after the response, the last one first, and sees an exception of the handler at its `yield`.
"""

import dataclasses
import inspect
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import Annotated, Any, get_args, get_origin

from asgi_lab.framework.background import BackgroundTasks
from asgi_lab.framework.calling import call, is_async, opener
from asgi_lab.framework.convert import Mismatch, convert
from asgi_lab.framework.errors import HTTPError
from asgi_lab.framework.requests import HTTPConnection, Request

MISSING: Any = inspect.Parameter.empty


@dataclasses.dataclass(frozen=True)
class Depends:
    """The value is what `function` returns, or yields. With `once` false, anew for each use."""

    function: Callable[..., Any]
    once: bool = True


@dataclasses.dataclass(frozen=True)
class Body:
    """The value is the whole body, which is JSON. Dataclasses and dicts need not say so."""


@dataclasses.dataclass
class Injection:
    """What one request's parameters are taken from, and what was opened for them."""

    connection: HTTPConnection
    opened: AsyncExitStack
    background: BackgroundTasks
    read: dict[Any, dict[str, Any]] = dataclasses.field(default_factory=dict)
    known: dict[Any, Any] = dataclasses.field(default_factory=dict)
    """By function: the values that the client wrote, and what the function returned."""


class Invalid(HTTPError):
    """Parameters that cannot be converted: 422, with what was expected of each."""

    def __init__(self, problems: list[dict[str, Any]]) -> None:
        super().__init__(422, {"errors": problems})


class Plan:
    """How to call a function: where each parameter comes from.

    Raises TypeError for a parameter that nothing could be given to.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.values: dict[str, Value] = {}
        self.dependencies: dict[str, Dependency] = {}
        self.connections: list[str] = []
        self.backgrounds: list[str] = []
        for parameter in parameters_of(function):
            self._plan(parameter)

    async def call(self, injection: Injection) -> Any:
        """Call the function with what it needs. Raises Invalid, or what it raises.

        All that the client wrote is read first: nothing is opened for a request that is invalid.
        """
        if problems := await self.read(injection):
            raise Invalid(problems)
        return await call(self.function, **await self.arguments(injection))

    async def read(self, injection: Injection) -> list[dict[str, Any]]:
        """Convert the values, those of dependencies, too; return what is wrong with them."""
        if self.function in injection.read:
            return []
        found = injection.read[self.function] = {}
        problems = []
        for name, value in self.values.items():
            try:
                found[name] = await value.of(injection)
            except Mismatch as mismatch:
                problems.append(value.problem(mismatch, injection))
        for dependency in self.dependencies.values():
            problems += await dependency.plan.read(injection)
        return problems

    async def arguments(self, injection: Injection) -> dict[str, Any]:
        """Return what the function needs: what was read, and what is opened now."""
        found = dict(injection.read[self.function])
        for name in self.connections:
            found[name] = injection.connection
        for name in self.backgrounds:
            found[name] = injection.background
        for name, dependency in self.dependencies.items():
            found[name] = await dependency.value(injection)
        return found

    def _plan(self, parameter: inspect.Parameter) -> None:
        name, wanted, marks = parameter.name, parameter.annotation, []
        if get_origin(wanted) is Annotated:
            wanted, *marks = get_args(wanted)
        mark = next((m for m in marks if isinstance(m, Depends | Body)), None)
        if isinstance(mark, Depends):
            self.dependencies[name] = Dependency(mark)
        elif wanted is BackgroundTasks:
            self.backgrounds.append(name)
        elif is_connection(name, wanted):
            self.connections.append(name)
        else:
            is_body = mark is not None or is_object(wanted)
            wanted = str if wanted is MISSING else wanted
            self.values[name] = Value(name, wanted, parameter.default, is_body)


class Value:
    """A parameter that the client writes: in the path, the query, or the body."""

    def __init__(self, name: str, wanted: Any, default: Any, is_body: bool) -> None:
        self.name = name
        self.wanted = wanted
        self.default = default
        self.place = "body" if is_body else "query"

    async def of(self, injection: Injection) -> Any:
        """Return the value in this request. Raises Mismatch."""
        connection, is_list = injection.connection, (get_origin(self.wanted) or self.wanted) is list
        if self.place == "body":
            found = await self._body(connection)
        elif self.name in connection.path_params:
            found = connection.path_params[self.name]
        elif is_list:
            found = connection.query.all(self.name) or MISSING
        else:
            found = connection.query.get(self.name, MISSING)
        if found is MISSING and self.default is not MISSING:
            return self.default
        if found is MISSING and not is_list:
            raise Mismatch("a value", None)
        return convert([] if found is MISSING else found, self.wanted)

    def problem(self, mismatch: Mismatch, injection: Injection) -> dict[str, Any]:
        """Return what is wrong, for the client."""
        place, names = self.place, [mismatch.place]
        if place == "query":
            names.insert(0, self.name)
            place = "path" if self.name in injection.connection.path_params else "query"
        name = ".".join(filter(None, names))
        return {
            "in": place, "name": name, "expected": mismatch.expected, "got": mismatch.got
        }  # fmt: skip

    async def _body(self, connection: HTTPConnection) -> Any:
        if not isinstance(connection, Request):
            raise TypeError(f"{self.name}: a WebSocket has no body")
        if self.default is not MISSING and not await connection.body():
            return MISSING
        return await connection.json()


class Dependency:
    """A parameter that another function provides."""

    def __init__(self, depends: Depends) -> None:
        self.once = depends.once
        self.plan = Plan(depends.function)
        self._open = opener(depends.function)

    async def value(self, injection: Injection) -> Any:
        """Call the function, unless it was called in this request; close it after, if it yields."""
        function = self.plan.function
        if self.once and function in injection.known:
            return injection.known[function]
        arguments = await self.plan.arguments(injection)
        if self._open is None:
            value = await call(function, **arguments)
        else:
            value = await injection.opened.enter_async_context(self._open(**arguments))
        injection.known[function] = value
        return value


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
            if is_async(function) or inspect.isfunction(function):
                raise TypeError(f"{function}: *{parameter.name} cannot be injected")
            continue
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise TypeError(f"{function}: {parameter.name} cannot be given by name")
        yield parameter


def is_object(wanted: Any) -> bool:
    """Whether it is written as a JSON object, or has some in it: too much for a query."""
    if dataclasses.is_dataclass(wanted) or (get_origin(wanted) or wanted) is dict:
        return True
    return any(map(is_object, get_args(wanted)))


def is_connection(name: str, wanted: Any) -> bool:
    """Whether a parameter is the connection: by its annotation or, without one, by its name."""
    if wanted is MISSING:
        return name in ("request", "socket", "websocket", "connection")
    return isinstance(wanted, type) and issubclass(wanted, HTTPConnection)
