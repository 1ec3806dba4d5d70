"""Flask, in the style of its documentation."""

import io
from collections.abc import Iterator
from typing import Any

import flask


def make_wsgi() -> flask.Flask:
    app = flask.Flask("app")
    app.config["PROPAGATE_EXCEPTIONS"] = True

    @app.after_request
    def stamp(response: Any) -> Any:
        response.headers["x-stamp"] = "yes"
        return response

    @app.get("/")
    def index() -> str:
        return f"hello {flask.request.args.get('name')}"

    @app.post("/items")
    def items() -> Any:
        return flask.request.get_data()

    @app.get("/parts")
    def parts() -> Any:
        def generate() -> Iterator[str]:
            yield from "abc"

        return flask.Response(flask.stream_with_context(generate()))

    @app.get("/file")
    def file() -> Any:
        return flask.send_file(io.BytesIO(b"content"), download_name="a.txt")

    @app.get("/fail")
    def fail() -> None:
        raise LookupError("broken")

    return app
