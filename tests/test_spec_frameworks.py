"""Healthy frameworks keep the rules: whatever is asked of them, nothing is found."""

import sys
from importlib import import_module

import pytest

from asgi_lab import trace
from tests.driver import observe
from tests.misbehaving.table import findings
from tests.test_apps import ASGI, CALLS

FAILS = {("fastapi", "fail"), ("starlette", "fail"), ("starlette", "bad post")}
"""Where an exception of the app itself leaves it: that is H15, and nothing else."""


@pytest.mark.parametrize("framework", ASGI)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous iterators")
def test_nothing_is_found_in_a_framework(framework: str, call: str) -> None:
    if framework == "quart" and sys.version_info[:3] == (3, 13, 0):
        pytest.skip("Quart does not end a response on 3.13.0")
    scope, incoming = CALLS[call]
    traced = trace(import_module(f"tests.apps.{framework}_app").make())
    observe(traced, {**scope, "state": {}}, incoming, slow=1)
    expected = ["H15"] if (framework, call) in FAILS else []
    assert [event.data["rule"] for event in findings(traced)] == expected
