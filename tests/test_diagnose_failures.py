"""Real failures, met in public: the right diagnosis, the right request and line, and no other."""

import asyncio
import re

import pytest

from asgi_lab import Trace, run
from tests.failures import apps  # noqa: F401 - it fills the table
from tests.failures.table import FAILURES, Failure


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: f"{failure.id}-{failure.name}")
def test_a_failure_is_told(failure: Failure) -> None:
    trace = asyncio.run(run(failure.make(), *failure.clients, **failure.settings))
    told(trace, failure)


def told(trace: Trace, failure: Failure) -> None:
    found = trace.diagnose()
    assert [one.id for one in found] == [failure.id], f"{found}\n\n{trace}"
    (one,) = found
    assert one.request == failure.request
    assert one.severity == failure.severity
    assert one.layer == failure.layer
    for words in failure.says:
        assert words in one.sentence
    if failure.line is not None:
        assert re.search(rf"failures/\w+.py:{failure.line} in ", one.at), one
    assert one.conns
    assert one.events
    conns = {event.seq: event.conn for event in trace}
    assert all(conns[number] in (*one.conns, 0) for number in one.events)
