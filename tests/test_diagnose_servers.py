"""Real failures on real servers: the right diagnosis, with request and line, and no other."""

import asyncio

import pytest

from asgi_lab import run
from tests.failures import on_servers  # noqa: F401 - it fills the table
from tests.failures.table import ON_SERVERS, Failure
from tests.test_diagnose_failures import told


@pytest.mark.parametrize(
    "failure", ON_SERVERS, ids=lambda one: f"{one.id}-{one.name}-{one.settings['server']}"
)
@pytest.mark.filterwarnings("ignore")  # of servers, about apps that fail
def test_a_failure_is_told_on_a_server(failure: Failure) -> None:
    told(asyncio.run(run(failure.make(), *failure.clients, **failure.settings)), failure)
