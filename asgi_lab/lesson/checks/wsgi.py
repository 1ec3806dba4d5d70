"""Checks of the chapter about WSGI: a gateway, and an environ, with apps that watch them."""

from collections.abc import Callable, Iterator
from typing import Any

from asgi_lab.lesson.exercise import Exercise
from asgi_lab.lesson.failed import Failed
from asgi_lab.types import Environ, StartResponse

Serve = Callable[[Any, Environ, Callable[[bytes], None]], Any]
EnvironOf = Callable[[str, str, list[tuple[str, str]], bytes], Environ]

GATEWAY = Exercise(
    "wsgi/gateway",
    "A gateway that keeps its promises",
    hints=(
        "`start_response` only keeps what it is told. The head is written when the first chunk is "
        "there: by then a generator has called it, too.",
        "A loop over what the app returned: write the head once, then each chunk.",
        "`try: ... finally: ...` around the loop; `close` may be missing (hasattr).",
    ),
)

ENVIRON = Exercise(
    "wsgi/environ",
    "An environ",
    hints=(
        "Cut the target at the first question mark.",
        "`urllib.parse.unquote_to_bytes(path)` gives bytes; WSGI wants them as latin-1 text.",
        "`name.upper().replace('-', '_')`, with HTTP_ in front, except for two of them.",
    ),
)


class Watched:
    """An app whose chunks note in a log when they are asked for, and when they are closed."""

    def __init__(self, chunks: list[bytes], *, fails: bool = False) -> None:
        self.chunks, self.fails = chunks, fails
        self.log: list[str] = []

    def __call__(self, environ: Environ, start_response: StartResponse) -> "Watched":
        """Answer as a WSGI app."""
        self.log.append("called")
        start_response("200 OK", [("content-type", "text/plain")])
        return self

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self.chunks:
            self.log.append(f"gives {chunk.decode()}")
            yield chunk
        if self.fails:
            self.log.append("fails")
            raise LookupError("the database is gone")

    def close(self) -> None:
        """Note that it was called."""
        self.log.append("closed")

    def write(self, data: bytes) -> None:
        """Take what the gateway writes."""
        head = data.startswith(b"HTTP/")
        self.log.append("head" if head else f"written {data.decode('latin-1')}")


def shown(log: list[str]) -> str:
    """Return a log as one reads it."""
    return ", ".join(log) or "nothing"


@GATEWAY.check("the client gets head and body")
def whole(serve: Serve) -> None:
    written: list[bytes] = []

    def app(environ: Environ, start_response: StartResponse) -> list[bytes]:
        start_response("201 Created", [("x-a", "1"), ("x-a", "2")])
        return [b"Hello, ", b"world"]

    serve(app, {}, written.append)
    wanted = b"HTTP/1.1 201 Created\r\nx-a: 1\r\nx-a: 2\r\n\r\nHello, world"
    found = b"".join(written)
    if found != wanted:
        advice = ""
        if b"\r\n\r\n" not in found:
            advice = "After the last header comes an empty line."
        elif not found.startswith(b"HTTP/1.1 201 Created\r\n"):
            advice = "The status is text such as '201 Created'. Before it comes HTTP/1.1."
        elif found.count(b"x-a") != 2:
            advice = "A header may come twice: a dict would lose one."
        raise Failed(f"{wanted!r}", f"it is {found!r}", advice=advice)


@GATEWAY.check("a generator calls start_response late, and is served all the same")
def late(serve: Serve) -> None:
    written: list[bytes] = []

    def app(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"one"

    serve(app, {}, written.append)
    if b"".join(written) != b"HTTP/1.1 200 OK\r\n\r\none":
        advice = "Nothing in a generator runs before its first chunk is asked for."
        raise Failed("head, then b'one'", f"it is {b''.join(written)!r}", advice=advice)


@GATEWAY.check("each chunk is written before the next is asked for")
def at_once(serve: Serve) -> None:
    app = Watched([b"one", b"two"])
    serve(app, {}, app.write)
    steps = [entry for entry in app.log if entry != "closed"]
    wanted = ["called", "gives one", "head", "written one", "gives two", "written two"]
    if steps != wanted:
        advice = "Who joins all chunks first, or makes a list of them, holds the first one back."
        if steps[1:2] == ["head"]:
            advice = (
                "Until its first chunk is there, an app may still change its mind about the head."
            )
        raise Failed(shown(wanted), f"it is {shown(steps)}", advice=advice)


@GATEWAY.check("an empty body has a head")
def empty(serve: Serve) -> None:
    app = Watched([])
    serve(app, {}, app.write)
    if "head" not in app.log:
        advice = "A redirect has no body. When the loop is over, is the head written?"
        raise Failed("the head is written", f"it is {shown(app.log)}", advice=advice)


@GATEWAY.check("close() runs once, after the last chunk")
def closed(serve: Serve) -> None:
    app = Watched([b"one", b"two"])
    serve(app, {}, app.write)
    if app.log[-1:] != ["closed"] or app.log.count("closed") != 1:
        advice = "Files and cursors are closed there: nobody else will do it."
        raise Failed("closed, once and last", f"it is {shown(app.log)}", advice=advice)


@GATEWAY.check("close() runs after an exception, too; and the exception goes on")
def closed_after_failure(serve: Serve) -> None:
    app = Watched([b"one"], fails=True)
    try:
        serve(app, {}, app.write)
    except LookupError:
        raised = True
    else:
        raised = False
    if "closed" not in app.log:
        raise Failed(
            "closed, also when the app fails in the middle",
            f"it is {shown(app.log)}",
            advice="`try: ... finally: ...` runs the second part in every case.",
        )
    if not raised:
        advice = "Whoever called `serve` must learn that the response is not complete."
        raise Failed("the app's LookupError leaves serve", "it does not", advice=advice)


REQUEST = ("POST", "/caf%C3%A9?q=a%20b", [("Host", "a.org"), ("Content-Type", "text/plain"),
                                        ("X-Trace-Id", "7")], b"grue\xc3\x9fe")  # fmt: skip

ADVICE = {
    "PATH_INFO": "Without the query; %C3%A9 is two bytes, so two characters in latin-1.",
    "QUERY_STRING": "What follows the question mark, as it came: the app decodes it.",
    "HTTP_X_TRACE_ID": "A header is HTTP_, then its name in capitals, with _ for -.",
    "CONTENT_TYPE": "Content-Type and Content-Length are the two without HTTP_.",
    "CONTENT_LENGTH": "How many bytes the body has, as text.",
}


@ENVIRON.check("it says what was asked")
def asked(environ_of: EnvironOf) -> None:
    environ = environ_of(*REQUEST)
    wanted = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/caf\u00c3\u00a9",
        "QUERY_STRING": "q=a%20b",
        "HTTP_HOST": "a.org",
        "HTTP_X_TRACE_ID": "7",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "7",
    }
    for key, value in wanted.items():
        if key not in environ:
            near = [name for name in environ if key.rpartition("HTTP_")[2] in str(name).upper()]
            shown_names = f"there is {near[0]!r} instead" if near else "it is missing"
            raise Failed(f"{key} is in the environ", shown_names, advice=ADVICE.get(key, ""))
        if environ[key] != value:
            found = f"it is {environ[key]!r}"
            raise Failed(f"{key} is {value!r}", found, advice=ADVICE.get(key, ""))


@ENVIRON.check("the body can be read")
def readable(environ_of: EnvironOf) -> None:
    environ = environ_of(*REQUEST)
    source: Any = environ.get("wsgi.input")
    if not hasattr(source, "read"):
        advice = "io.BytesIO(body) is a file in memory."
        raise Failed("wsgi.input is a file to read from", f"it is {source!r}", advice=advice)
    found = source.read()
    if found != REQUEST[3]:
        raise Failed(f"it reads {REQUEST[3]!r}", f"it reads {found!r}")


@ENVIRON.check("Flask understands it")
def flask(environ_of: EnvironOf) -> None:
    from flask import Flask, request

    site = Flask("check")

    @site.post("/<name>")
    def answer(name: str) -> str:
        told = request.get_data(as_text=True)
        return f"{name} {request.args['q']} {request.headers['X-Trace-Id']} {told}"

    said: list[str] = []

    def start_response(status: str, *more: Any) -> Callable[[bytes], None]:
        said.append(status)
        return lambda data: None

    try:
        body = site(environ_of(*REQUEST), start_response)
        text = b"".join(body).decode()
    except KeyError as error:
        advice = "A framework looks it up without asking whether it is there."
        raise Failed(f"{error.args[0]} is in the environ", "it is missing", advice=advice) from None
    if text != "café a b 7 grueße":
        raise Failed("Flask reads 'café a b 7 grueße'", f"it answers {said}, {text[:80]!r}")


EXERCISES = (GATEWAY, ENVIRON)
