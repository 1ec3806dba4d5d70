"""What pytest calls. Without the fixture or the option it does nothing, and imports nothing more.

    def test_home(asgi_trace):
        client = TestClient(app)            # or httpx.ASGITransport, ApplicationCommunicator
        assert client.get("/").status_code == 200
        assert len(asgi_trace.trace.filter("kind=send")) == 2

A test that breaks a rule of ASGI fails; a report of a test has the text of its trace.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from asgi_lab.diagnose import Diagnosis
    from asgi_lab.testing.traced import AsgiTrace

MARKER = (
    "asgi_trace(allow=(), strict=False): what the fixture asgi_trace lets be (ids of rules and "
    "diagnoses), and whether it also fails if a diagnosis warns"
)

TITLE = "ASGI trace"
"""The section of the report that holds the trace."""

kept = pytest.StashKey["AsgiTrace"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, on the command line and in the configuration."""
    group = parser.getgroup("asgi-lab", "trace the ASGI apps under test")
    group.addoption(
        "--asgi-trace",
        action="store_true",
        help="trace the apps that Starlette's TestClient, httpx's ASGITransport and asgiref's "
        "ApplicationCommunicator call, in all tests; a test fails if a rule of ASGI is broken",
    )
    group.addoption(
        "--asgi-trace-strict",
        action="store_true",
        help="fail also if a diagnosis warns: a held event loop, say (asgi-lab explain)",
    )
    parser.addini("asgi_trace", "trace the apps in all tests", type="bool", default=False)
    parser.addini("asgi_trace_strict", "fail if a diagnosis warns", type="bool", default=False)
    parser.addini("asgi_trace_allow", "ids of rules and diagnoses to let be", type="args")


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest of the marker; trace all tests, if that is wanted."""
    config.addinivalue_line("markers", MARKER)
    if config.getoption("asgi_trace") or config.getini("asgi_trace"):
        config.pluginmanager.register(Everywhere())


@pytest.fixture
def asgi_trace(request: pytest.FixtureRequest) -> "Iterator[AsgiTrace]":
    """Trace what test clients call in this test; fail it if the app breaks a rule of ASGI.

    `asgi_trace.trace` is what was recorded, `asgi_trace(app)` an app traced for other clients,
    `asgi_trace.allow("H16")` lets be what the test is about.
    """
    from asgi_lab.testing.clients import Clients
    from asgi_lab.testing.traced import AsgiTrace

    allowed, strict = wishes(request.node)
    traced = AsgiTrace(allowed, strict)
    request.node.stash[kept] = traced
    clients = Clients(traced.see)
    clients.start()
    try:
        yield traced
    finally:
        clients.stop()
        traced.end()
    fail_for(traced.wrong())  # by what came after the test itself: a shutdown, say


class Everywhere:
    """A plugin that gives the fixture to all tests."""

    @pytest.fixture(autouse=True)
    def _asgi_trace_everywhere(self, asgi_trace: "AsgiTrace") -> None:
        pass


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a test that passed but broke a rule."""
    yield
    if traced := item.stash.get(kept, None):
        fail_for(traced.wrong())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Attach the text of the trace."""
    report = yield
    traced = item.stash.get(kept, None)
    if traced is not None and (report.when == "call" or report.failed) and len(traced.trace):
        report.sections.append((TITLE, traced.report()))
    return report


def wishes(item: pytest.Item) -> tuple[list[str], bool]:
    """Return what a test lets be, and whether it is strict."""
    config = item.config
    allowed = [*config.getini("asgi_trace_allow")]
    strict = config.getoption("asgi_trace_strict") or config.getini("asgi_trace_strict")
    for mark in item.iter_markers("asgi_trace"):
        allow = mark.kwargs.get("allow", ())
        allowed += [allow] if isinstance(allow, str) else allow
        strict = mark.kwargs.get("strict", strict)
    return allowed, bool(strict)


def fail_for(wrong: "Sequence[Diagnosis]") -> None:
    """Fail the test, if there is a reason."""
    if wrong:
        rules = sum(bool(one.rule) for one in wrong)
        what = "rule of ASGI is broken" if rules == 1 else "rules of ASGI are broken"
        head = f"{rules} {what}" if rules == len(wrong) else f"{len(wrong)} things are wrong"
        pytest.fail("\n\n".join([head, *map(str, wrong)]), pytrace=False)
