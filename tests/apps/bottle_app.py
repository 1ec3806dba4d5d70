"""Bottle, in the style of its documentation."""

from collections.abc import Iterator

import bottle


def make_wsgi() -> bottle.Bottle:
    app = bottle.Bottle()
    app.catchall = False

    @app.get("/")
    def index() -> str:
        return f"hello {bottle.request.query.name}"

    @app.post("/items")
    def items() -> bytes:
        return bottle.request.body.read()

    @app.get("/parts")
    def parts() -> Iterator[str]:
        yield from "abc"

    @app.get("/fail")
    def fail() -> None:
        raise LookupError("broken")

    return app
