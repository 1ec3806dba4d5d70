"""Checks of the scope, to the letter: a part of the chapter about servers."""

from collections.abc import Callable
from typing import Any

import h11

from asgi_lab.lesson.exercise import Exercise
from asgi_lab.lesson.failed import never
from asgi_lab.spec.rules import rules
from asgi_lab.spec.step import opened
from asgi_lab.types import Scope

SCOPE = Exercise(
    "asgi_server/scope",
    "The scope, to the letter",
    hints=(
        "`request.target` is what stands in the request line: path, `?`, query. Cut it at the "
        "first `?`. What is before it is needed twice: once as bytes, once as text.",
        "`path` is decoded twice: percent signs become bytes, and the bytes are UTF-8. "
        "`urllib.parse.unquote` does both. The query stays as it is: the app decodes it.",
        "Headers are a list, because a name may come twice. `request.headers` gives lower-case "
        "names and keeps the order. `client` and `server` are given to you.",
    ),
)

ScopeOf = Callable[[Any, tuple[str, int], tuple[str, int]], Scope]
CLIENT, HERE = ("192.0.2.7", 52100), ("127.0.0.1", 8000)


def made(scope_of: ScopeOf, target: bytes, method: bytes = b"GET", extra: Any = ()) -> Scope:
    """Return the scope of a request. Raises `Failed` if a rule of ASGI is broken in it."""
    headers = [(b"Host", b"lab"), *extra]
    request = h11.Request(method=method, target=target, headers=headers)
    scope = scope_of(request, CLIENT, HERE)
    for finding in opened(scope)[1]:
        rule = rules()[finding.rule]
        sentence = f"{rule.sentence.rstrip('.')} (rule {rule.id})"
        raise never(sentence, f"{finding.what}, for {told_request(method, target)}", rule.remedy)
    return scope


def told_request(method: bytes, target: bytes) -> str:
    """Return a request as one reads it."""
    return f"{method.decode()} {target.decode()}"


def has(scope: Scope, key: str, value: object, of: str, advice: str = "") -> None:
    """Expect a value in a scope."""
    if key not in scope:
        raise never(f"{key!r}: {value!r} for {of}", f"there is no {key!r} in your scope", advice)
    if scope[key] != value:
        raise never(f"{key!r}: {value!r} for {of}", f"it is {scope[key]!r}", advice)


@SCOPE.check("it has what the request line says")
def request_line(scope_of: ScopeOf) -> None:
    scope = made(scope_of, b"/files", b"PUT")
    for key, value in (("type", "http"), ("method", "PUT"), ("path", "/files")):
        has(scope, key, value, "PUT /files")
    has(scope, "http_version", "1.1", "PUT /files", "h11 has it as bytes: request.http_version.")
    has(scope, "query_string", b"", "PUT /files", 'No question mark, no query: b"", not None.')
    version = scope.get("asgi", {}).get("version")
    if version != "3.0":
        raise never('\'asgi\' has "version": "3.0"', f"it is {version!r}")


@SCOPE.check("path is text, query_string is bytes")
def path_and_query(scope_of: ScopeOf) -> None:
    target = b"/search?q=a%20b&q=c?d"
    scope = made(scope_of, target)
    of = told_request(b"GET", target)
    has(scope, "path", "/search", of, "The query is no part of the path.")
    whole = "Cut once, at the first question mark. A query may hold another."
    as_it_is = "The query is not decoded: an app that splits it at & has to see which & were coded."
    decoded = scope["query_string"] == b"q=a b&q=c?d"
    has(scope, "query_string", b"q=a%20b&q=c?d", of, as_it_is if decoded else whole)


@SCOPE.check("path is decoded, raw_path is not")
def decoded(scope_of: ScopeOf) -> None:
    target = b"/caf%C3%A9/50%25?a=%C3%A9"
    scope = made(scope_of, target)
    of = told_request(b"GET", target)
    advice = "First cut at the question mark, then decode: percent signs to bytes, bytes to UTF-8."
    has(scope, "path", "/café/50%", of, advice)
    has(scope, "raw_path", b"/caf%C3%A9/50%25", of, "raw_path is what came, without the query.")


@SCOPE.check("a coded question mark is a part of the path")
def coded_question_mark(scope_of: ScopeOf) -> None:
    target = b"/what%3F?really"
    scope = made(scope_of, target)
    of = told_request(b"GET", target)
    advice = "%3F is a question mark that does not begin the query. Cut first, decode then."
    has(scope, "path", "/what?", of, advice)
    has(scope, "query_string", b"really", of, advice)


@SCOPE.check("headers are all there, in order, with names in lower case")
def all_headers(scope_of: ScopeOf) -> None:
    extra = [(b"X-Tag", b"One"), (b"Accept", b"*/*"), (b"X-Tag", b"Two")]
    scope = made(scope_of, b"/", extra=extra)
    wanted = [(b"host", b"lab"), (b"x-tag", b"One"), (b"accept", b"*/*"), (b"x-tag", b"Two")]
    found = [tuple(pair) for pair in scope["headers"]]
    names = [name for name, _ in found]
    advice = ""
    if names != [name.lower() for name in names]:
        advice = 'Apps look for b"content-type", and write it small: case says nothing in HTTP.'
    elif len(found) < len(wanted):
        advice = "A header may come twice (cookies do): a dict keeps one of them."
    elif [value.lower() for _, value in wanted] == [value for _, value in found]:
        advice = "Only names are lower-cased. Values are the client's own."
    if found != wanted:
        raise never(f"headers are {wanted}", f"they are {found}", advice)


@SCOPE.check("it says who asks, and where")
def addresses(scope_of: ScopeOf) -> None:
    scope = made(scope_of, b"/")
    for key, value in (("client", CLIENT), ("server", HERE)):
        if tuple(scope.get(key) or ()) != value:
            found = f"it is {scope[key]!r}" if key in scope else "there is none"
            raise never(
                f"{key!r}: {value!r}", found, "A pair: the address as str, the port as int."
            )
    has(scope, "scheme", "http", "a connection without TLS")
