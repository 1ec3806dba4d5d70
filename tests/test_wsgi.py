"""WSGI apps: a server sees the same bare and traced, and PEP 3333 is kept on both sides."""

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import flask
import pytest

from asgi_lab import Trace, trace

App = Callable[..., Any]
Journal = list[tuple[Any, ...]]


def environ_of(path: str = "/", **more: Any) -> dict[str, Any]:
    environ: dict[str, Any] = {"PATH_INFO": path.partition("?")[0], "SCRIPT_NAME": ""}
    environ["QUERY_STRING"] = path.partition("?")[2]
    setup_testing_defaults(environ)
    return {**environ, "wsgi.input": io.BytesIO(), "wsgi.file_wrapper": FileWrapper, **more}


def serve(app: App, path: str = "/", **environ: Any) -> Journal:
    """What a WSGI server does for one request, and all that it sees of the app."""
    journal: Journal = []

    def start_response(status: Any, headers: Any, exc_info: Any = None) -> Any:
        journal.append(("start", status, headers, exc_info and exc_info[0]))
        return lambda data: journal.append(("written", data))

    try:
        body = app(environ_of(path, **environ), start_response)
        journal.append(("returned", hasattr(body, "__len__") and len(body)))
        try:
            for chunk in body:
                journal.append(("chunk", chunk))
        finally:
            if hasattr(body, "close"):
                body.close()
    except BaseException as error:
        journal.append(("raised", type(error), str(error)))
    return journal


def same(app: App, path: str = "/", **environ: Any) -> tuple[Journal, Trace]:
    """Serve the app bare and traced, show that a server sees the same, and return that."""
    expected = serve(app, path, **environ)
    traced = trace(app)
    assert serve(traced, path, **environ) == expected
    return expected, traced.trace


START = ("200 OK", [("Content-Type", "text/plain")])


# --- raw apps ------------------------------------------------------------------------------------


def returns_a_list(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response(*START)
    return [b"hello"]


def yields(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response(*START)
    yield b"a"
    yield b""
    yield b"b"


def starts_late(environ: Any, start_response: Any) -> Iterator[bytes]:
    yield b""
    start_response(*START)
    yield b"late"


def writes(environ: Any, start_response: Any) -> Iterable[bytes]:
    write = start_response(*START)
    write(b"one")
    write(b"two")
    return [b"three"]


def starts_twice(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response(*START)
    try:
        raise LookupError("late")
    except LookupError:
        start_response("500 Broken", START[1], sys.exc_info())
    return [b"broken"]


def starts_by_name(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response(status="200 OK", headers=[])
    start_response("500 Broken", [], exc_info=(LookupError, LookupError("x"), None))
    return []


def returns_a_file(environ: Any, start_response: Any) -> Any:
    start_response(*START)
    return environ["wsgi.file_wrapper"](io.BytesIO(b"x" * 20_000))


def fails_at_once(environ: Any, start_response: Any) -> Iterable[bytes]:
    raise LookupError("broken")


def fails_halfway(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response(*START)
    yield b"a"
    raise LookupError("broken")


def exits(environ: Any, start_response: Any) -> Iterable[bytes]:
    raise SystemExit(3)


def returns_nothing(environ: Any, start_response: Any) -> None:
    start_response(*START)


def returns_text(environ: Any, start_response: Any) -> Any:
    start_response("OK", [("a", 7), 7, None])
    return ["text", 7, None]


def takes_too_few(environ: Any, start_response: Any, extra: Any = 1) -> Iterable[bytes]:
    start_response()
    return []


RAW = {
    app.__name__: app
    for app in (
        returns_a_list, yields, starts_late, writes, starts_twice, starts_by_name, returns_a_file,
        fails_at_once, fails_halfway, exits, returns_nothing, returns_text, takes_too_few,
    )
}  # fmt: skip


@pytest.mark.parametrize("name", RAW)
def test_a_server_sees_the_same(name: str) -> None:
    _, found = same(RAW[name])
    assert found[0].kind == "scope"
    assert str(found)


@pytest.mark.parametrize("app", [returns_a_list, yields, writes, starts_twice])
def test_both_sides_are_valid(app: App) -> None:
    """wsgiref's validator is content around the tracer, within it, and on both sides."""
    expected = [step for step in serve(app) if step[0] != "returned"]
    for wrapped in (valid(trace(app)), trace(valid(app)), valid(trace(valid(app)))):
        assert [step for step in serve(wrapped) if step[0] != "returned"] == expected


def valid(app: App) -> App:
    validated = validator(app)

    def application(environ: Any, start_response: Any) -> Any:
        environ.pop("wsgi.file_wrapper", None)
        return validated(environ, start_response)

    return application


@pytest.mark.parametrize("fail_at", ["start", "write"])
def test_errors_of_the_server_reach_the_app(fail_at: str) -> None:
    error = BrokenPipeError("gone")
    caught: list[BaseException] = []

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        try:
            start_response(*START)(b"data")
        except OSError as e:
            caught.append(e)
            raise
        return []

    def fails(data: bytes) -> None:
        raise error

    def start_response(*_: Any) -> Any:
        if fail_at == "start":
            raise error
        return fails

    traced = trace(app)
    with pytest.raises(BrokenPipeError) as raised:
        traced(environ_of(), start_response)
    assert raised.value is error
    assert caught == [error]
    sent = [e.data.get("error") for e in traced.trace if e.kind == "sent"]
    assert sent[-1] == "BrokenPipeError"


def test_the_environ_and_the_chunks_are_the_same_objects() -> None:
    chunks, environ, seen = [b"a" * 300, b"b" * 300], environ_of(), []

    def app(e: Any, start_response: Any) -> Iterable[bytes]:
        seen.append(e)
        start_response(*START)
        return iter(chunks)

    before = dict(environ)
    body = trace(app)(environ, lambda *_: None)
    assert list(map(id, body)) == list(map(id, chunks))
    assert seen[0] is environ
    assert environ == before


def test_close_is_called_once_and_only_by_the_server() -> None:
    class Body:
        closed = 0
        chunks = (b"a", b"b")

        def __iter__(self) -> Iterator[bytes]:
            return iter(self.chunks)

        def close(self) -> None:
            self.closed += 1

    bodies = [Body(), Body()]
    left = iter(bodies)

    def app(environ: Any, start_response: Any) -> Any:
        start_response(*START)
        return next(left)

    traced = trace(app)
    body = traced(environ_of(), lambda *_: None)
    assert next(iter(body)) == b"a"  # then the client leaves
    assert bodies[0].closed == 0
    body.close()
    assert bodies[0].closed == 1
    assert [e.kind for e in traced.trace][-2:] == ["close", "return"]
    serve(traced)
    assert bodies[1].closed == 1


def test_a_generator_is_closed_where_it_stands() -> None:
    steps: list[str] = []

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response(*START)
        try:
            yield b"a"
            yield b"b"
        finally:
            steps.append("finally")

    body = trace(app)(environ_of(), lambda *_: None)
    assert next(body) == b"a"  # type: ignore[call-overload]
    body.close()
    assert steps == ["finally"]


def test_length_and_attributes_of_the_body_stay() -> None:
    class Body(list[bytes]):
        kind = "mine"

    def app(environ: Any, start_response: Any) -> Any:
        start_response(*START)
        return Body([b"a", b"b"])

    body: Any = trace(app)(environ_of(), lambda *_: None)
    assert (len(body), body.kind) == (2, "mine")
    assert list(body) == list(body) == [b"a", b"b"]
    generated = trace(yields)(environ_of(), lambda *_: None)
    assert not hasattr(generated, "__len__")


def test_a_file_wrapper_keeps_its_type() -> None:
    body = trace(returns_a_file)(environ_of(), lambda *_: None)
    assert type(body) is FileWrapper


def test_secrets_are_masked() -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Set-Cookie", "session=s3cr3t; Path=/")])
        yield b'{"token": "s3cr3t"}'
        raise LookupError("no such user: password=s3cr3t")

    _, found = same(
        app,
        "/?token=s3cr3t",
        HTTP_AUTHORIZATION="Bearer s3cr3t",
        HTTP_COOKIE="session=s3cr3t",
        HTTP_X_API_KEY="s3cr3t",
    )
    assert "s3cr3t" not in str([dict(e.data) for e in found])
    assert "session=[redacted]; Path=/" in str([dict(e.data) for e in found])


def test_slices_and_backpressure_are_noted() -> None:
    found = same(yields)[1]
    kinds = [e.kind for e in found if e.kind not in ("run", "ran")]
    assert kinds == ["scope", *["send", "sent"] * 4, "close", "return"]
    assert sum(e.kind == "run" for e in found) == sum(e.kind == "ran" for e in found) == 7


def test_a_traced_app_has_the_attributes_of_the_app() -> None:
    app = flask.Flask("app")
    traced = trace(app)
    traced.debug = True
    assert app.debug is True
    assert traced.url_map is app.url_map
