"""The pytest plugin: apps under test are traced, and who breaks a rule of ASGI fails the test."""

from collections.abc import Callable
from textwrap import dedent
from typing import Any

import httpx  # noqa: F401
import litestar.testing  # noqa: F401
import pytest
from asgiref.testing import ApplicationCommunicator  # noqa: F401

import asgi_lab.checked
import asgi_lab.testing.clients
import asgi_lab.testing.traced
import asgi_lab.watchdog  # noqa: F401 - the suites run here, and use the modules that are loaded

pytest_plugins = ("pytester",)

Suite = Callable[..., Any]

SHOP = """
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route, WebSocketRoute

    async def home(request):
        return PlainTextResponse("hello")

    async def fails(request):
        raise KeyError("no such pen")

    async def echo(socket):
        await socket.accept()
        await socket.send_text(await socket.receive_text())
        await socket.close()

    app = Starlette(routes=[Route("/", home), Route("/fails", fails), WebSocketRoute("/ws", echo)])

    async def careless(scope, receive, send):
        if scope["type"] == "lifespan":
            return
        headers = [(b"content-length", b"5")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"123456"})
"""

CLIENTS = {
    "starlette": """
        from starlette.testclient import TestClient
        def ask(app):
            TestClient(app).get("/")
    """,
    "httpx": """
        import asyncio, httpx
        def ask(app):
            async def get():
                transport = httpx.ASGITransport(app=app)
                async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
                    await client.get("/")
            asyncio.run(get())
    """,
    "asgiref": """
        import asyncio
        from asgiref.testing import ApplicationCommunicator
        def ask(app):
            async def get():
                scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
                app_ = ApplicationCommunicator(app, scope)
                await app_.send_input({"type": "http.request"})
                await app_.receive_output()
                await app_.receive_output()
                await app_.wait()
            asyncio.run(get())
    """,
    "litestar": """
        from litestar.testing import TestClient
        def ask(app):
            TestClient(app).get("/")
    """,
}


@pytest.fixture(autouse=True)
def alone(pytester: pytest.Pytester) -> None:
    """No other plugins: some of them take seconds to load."""
    others = ("cacheprovider", "hypothesispytest", "faker", "nbval", "xdist", "xdist.looponfail")
    options = " ".join(f"-p no:{name}" for name in others)
    pytester.makeini(f"[pytest]\naddopts = -W ignore {options}")


@pytest.fixture
def suite(pytester: pytest.Pytester) -> Suite:
    """Run a suite of its own; `shop` can be imported in it."""
    pytester.makepyfile(shop=dedent(SHOP))

    def run(source: str, *options: str, client: str = "starlette") -> Any:
        body = f"from shop import app, careless\n{dedent(CLIENTS[client])}\n{dedent(source)}"
        pytester.makepyfile(test_shop=body)
        return pytester.runpytest_inprocess(*options)

    return run


@pytest.mark.parametrize("client", CLIENTS)
def test_a_broken_rule_fails_the_test_and_names_rule_line_and_remedy(
    suite: Suite, client: str
) -> None:
    result = suite("def test_it(asgi_trace): ask(careless)", client=client)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "1 rule of ASGI is broken",
            "! BAD-SEQUENCE *content-length is 5, and 6 bytes were sent (rule H16*",
            "    at    shop.py:23 in careless",
            "    do    Compute it from the encoded body*",
            "*- ASGI trace -*",
            '*← send http.response.body "123456"',
            "*! H16 broken by the app*",
        ]
    )
    assert "http_version" not in result.stdout.str().partition("ASGI trace")[0]  # the client's


@pytest.mark.parametrize("client", ["starlette", "httpx", "asgiref"])
def test_a_healthy_app_passes_and_its_trace_can_be_asked(suite: Suite, client: str) -> None:
    result = suite(
        """
        def test_it(asgi_trace):
            ask(app)
            kinds = [event.type for event in asgi_trace.trace if event.kind == "send"]
            assert kinds.count("http.response.start") > 1  # at each layer
        """,
        client=client,
    )
    result.assert_outcomes(passed=1)


def test_a_client_made_on_import_is_traced_and_keeps_its_app(suite: Suite) -> None:
    result = suite(
        """
        client = TestClient(careless)
        def test_bare(): client.get("/")
        def test_traced(asgi_trace):
            client.get("/")
            assert client.app is careless
        def test_bare_again(): client.get("/")
        """
    )
    result.assert_outcomes(passed=2, failed=1)


def test_the_option_traces_every_test(suite: Suite) -> None:
    source = """
        import unittest
        def test_it(): ask(careless)
        class Old(unittest.TestCase):
            def test_it(self): ask(careless)
        def test_healthy(): ask(app)
    """
    suite(source).assert_outcomes(passed=3)
    suite(source, "--asgi-trace").assert_outcomes(failed=2, passed=1)
    suite(source, "-o", "asgi_trace=true").assert_outcomes(failed=2, passed=1)


def test_what_a_test_is_about_can_be_allowed(suite: Suite) -> None:
    source = """
        import pytest
        @pytest.mark.asgi_trace(allow=["H16"])
        def test_marked(asgi_trace): ask(careless)
        def test_said(asgi_trace):
            ask(careless)
            asgi_trace.allow("H16")
        def test_not(asgi_trace): ask(careless)
    """
    suite(source).assert_outcomes(passed=2, failed=1)
    suite(source, "-o", "asgi_trace_allow=H16").assert_outcomes(passed=3)
    suite(source, "-o", "asgi_trace_allow=BAD-SEQUENCE").assert_outcomes(passed=3)


def test_only_a_strict_test_fails_for_a_diagnosis(suite: Suite) -> None:
    source = """
        import time
        async def blocking(scope, receive, send):
            time.sleep(1.2)  # so long that it is told even if no thread was there to look
            await app(scope, receive, send)
        def test_it(asgi_trace):
            ask(blocking)
            assert asgi_trace.trace.diagnose()[0].id == "LOOP-BLOCKED"
    """
    suite(source).assert_outcomes(passed=1)
    result = suite(source, "--asgi-trace-strict")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["! LOOP-BLOCKED *time.sleep(), at test_shop.py:*"])


def test_an_app_lives_no_longer_than_untraced(suite: Suite) -> None:
    result = suite(
        """
        import gc, weakref
        class App:
            async def __call__(self, scope, receive, send): await app(scope, receive, send)
        def test_it(asgi_trace):
            mine = App()
            gone = weakref.ref(mine)
            ask(mine)
            del mine
            gc.collect()
            assert gone() is None and len(asgi_trace.trace)
        """,
        client="httpx",
    )
    result.assert_outcomes(passed=1)


def test_what_breaks_after_the_test_is_an_error_of_its_teardown(suite: Suite) -> None:
    result = suite(
        """
        import pytest
        async def quits(scope, receive, send):
            while (await receive())["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.startup.complete"})
        @pytest.fixture
        def client(asgi_trace):
            with TestClient(quits) as client:
                yield client
        def test_it(client): pass
        """
    )
    result.assert_outcomes(passed=1, errors=1)


def test_exceptions_pass_and_a_test_that_fails_shows_its_trace(suite: Suite) -> None:
    result = suite(
        """
        import pytest
        def test_raises(asgi_trace):
            with pytest.raises(KeyError, match="no such pen"):
                TestClient(app).get("/fails")
        def test_fails(asgi_trace):
            with TestClient(app).websocket_connect("/ws") as socket:
                socket.send_text("hi")
                assert socket.receive_text() == "ho"
        """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["E*'hi' == 'ho'*", '*→ received websocket.receive "hi"*'])


def test_another_clients_app_is_traced_by_hand(suite: Suite) -> None:
    result = suite(
        """
        import asyncio
        from asgi_lab import run, get
        def test_it(asgi_trace):
            seen = asgi_trace(careless)
            assert asgi_trace(careless) is seen
            async def receive(): return {"type": "http.request"}
            async def send(message): pass
            scope = {"type": "http", "asgi": {"version": "3.0"}, "method": "GET", "path": "/"}
            asyncio.run(seen(scope, receive, send))
        """
    )
    result.assert_outcomes(failed=1)


def test_without_the_fixture_nothing_of_the_package_is_loaded(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys
        def test_it():
            loaded = {name for name in sys.modules if name.startswith("asgi_lab")}
            assert loaded == {"asgi_lab", "asgi_lab.testing", "asgi_lab.testing.plugin"}
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
