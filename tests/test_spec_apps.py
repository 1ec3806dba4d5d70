"""Each app that breaks a rule is found out: which rule, who, in which layer, at which line."""

import inspect
from typing import Any

import pytest

from asgi_lab.spec import common
from tests.misbehaving import (  # noqa: F401 - they fill the table
    aftermath,
    extension_apps,
    http_apps,
    socket_apps,
)
from tests.misbehaving.apps import APPS
from tests.misbehaving.correct import CORRECT
from tests.misbehaving.table import Case, called


def app_of(case: Case) -> Any:
    return case.make if inspect.iscoroutinefunction(case.make) else case.make()


def aftermath_cases() -> list[Case]:
    return [case for case in APPS if case.make.__module__ == aftermath.__name__]


@pytest.mark.parametrize("case", APPS, ids=lambda case: case.name)
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
def test_a_misbehaving_app_is_named(case: Case) -> None:
    found = called(app_of(case), case)
    told = {(event.data["rule"], event.data["side"]) for event in found}
    assert told == {(rule, case.side) for rule in case.rules}, [dict(e.data) for e in found]
    for rule, line in case.marked().items():
        first = next(event for event in found if event.data["rule"] == rule)
        assert f":{line} in " in first.data["at"], (line, dict(first.data))
    for event in found:
        if case.side == "app":
            assert event.layer == case.layer
        if case.who:
            assert case.who in event.data["who"]


@pytest.mark.parametrize("case", aftermath_cases(), ids=lambda case: case.name)
def test_one_misstep_is_one_finding(case: Case) -> None:
    assert len(called(app_of(case), case)) == 1


def test_there_are_a_hundred() -> None:
    assert len(APPS) >= 100
    assert len(CORRECT) >= 28
    names = [case.name for case in (*APPS, *CORRECT)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("case", CORRECT, ids=lambda case: case.name)
@pytest.mark.parametrize("options", [{}, {"layers": False}, {"run": False}], ids=str)
def test_nothing_is_said_of_a_correct_program(case: Case, options: dict[str, Any]) -> None:
    assert [dict(event.data) for event in called(app_of(case), case, **options)] == []


@pytest.mark.parametrize("case", [*APPS, *CORRECT], ids=lambda case: case.name)
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
def test_the_short_way_finds_what_the_long_way_does(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lets most messages pass at once is only faster: without it the findings are the same."""
    short = called(app_of(case), case)
    for name in ("opened", "sent", "received", "asked", "returned"):
        monkeypatch.setattr(common, name, lambda *_: None)
    long = called(app_of(case), case)
    assert [(e.layer, dict(e.data)) for e in short] == [(e.layer, dict(e.data)) for e in long]
