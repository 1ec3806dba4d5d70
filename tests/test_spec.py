"""The rules, as their users meet them: as a table, as findings of a trace, on the command line."""

import asyncio
import json
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
from command import run as command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asgi_lab import get, run, trace
from asgi_lab.spec.case import CHECKS
from asgi_lab.spec.examples import right_form, where_to_look
from asgi_lab.spec.rules import GROUPS, find, group, rules
from asgi_lab.spec.server_checks import SCOPE_CHECKS
from asgi_lab.spec.states import PROTOCOLS
from asgi_lab.spec.step import opened, step
from tests.driver import GONE, Server, http, lifespan, observe, request, websocket
from tests.misbehaving.apps import END, START, Middleware
from tests.misbehaving.http_apps import MORE
from tests.misbehaving.table import findings


def called(app: Any, *incoming: Any, scope: Any = None, **options: Any) -> Any:
    traced = trace(app, **options)
    asyncio.run(Server(incoming).call(traced, scope or http()))
    return traced


async def shouts(scope: Any, receive: Any, send: Any) -> None:
    for _ in range(3):
        await send({**START, "status": "200", "headers": [(b"X", b"secret")]})


# --- the table -----------------------------------------------------------------------------------


def test_each_rule_is_whole() -> None:
    known = rules()
    for name, rule in known.items():
        assert rule.id == name
        assert group(name) in {letters for _, letters, _ in GROUPS}
        assert rule.sentence.endswith(".")
        assert rule.remedy.endswith(".")
        assert all(section.url.startswith("https://") for section in rule.where)
    assert len(known) == 96


def test_each_rule_that_is_checked_is_known() -> None:
    named = {rule for checks in CHECKS.values() for rule, _ in checks}
    named |= {rule for rule, _, _ in SCOPE_CHECKS}
    machines = [machine for machines in PROTOCOLS.values() for machine in machines]
    named |= {breach.rule for machine in machines for breach in machine.breaches}
    assert named <= set(rules())
    assert not {name for name in named if rules()[name].wire}


def test_each_rule_of_apps_has_its_right_form_and_what_cannot_be_seen_says_where_to_look() -> None:
    for name, rule in rules().items():
        code = right_form(name)
        assert bool(code) is (rule.breaker == "app"), name
        compile(
            "async def app(self, scope, receive, send):\n" + indent(code or "pass", "  "),
            name,
            "exec",
        )
        assert bool(where_to_look(name)) is rule.wire, name


def test_a_rule_is_found_by_any_spelling() -> None:
    assert find(" w-r2 ").id == "W-R2"
    with pytest.raises(KeyError, match="got 'H99'; did you mean H9"):
        find("H99")


# --- the step ------------------------------------------------------------------------------------


def test_a_step_changes_nothing_but_its_result() -> None:
    case, _ = opened(http())
    message = dict(START)
    after, found = step(case, "send", message)
    again, found_again = step(case, "send", message)
    assert (after, found) == (again, found_again)
    assert message == START
    assert step(after, "send", message)[1][0].rule == "H2"
    assert not step(case, "send", message)[1]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda children: (
        st.lists(children, max_size=3)
        | st.tuples(children, children)
        | st.dictionaries(st.text(max_size=3), children, max_size=3)
        | st.builds(iter, st.lists(children, max_size=2))
    ),
    max_leaves=6,
)
kinds = st.sampled_from(
    sorted({m.type for machines in PROTOCOLS.values() for x in machines for m in x.moves})
)
keys = st.sampled_from(
    ["status", "headers", "body", "more_body", "trailers", "text", "bytes", "code", "reason",
     "subprotocol", "message", "path", "links", "more_trailers"]
)  # fmt: skip
messages = values | st.builds(
    lambda kind, rest: {**rest, "type": kind}, kinds | values, st.dictionaries(keys, values)
)
scopes = st.builds(
    lambda scope, changes: {**scope, **changes},
    st.sampled_from([http(), websocket(), lifespan()]),
    st.dictionaries(st.sampled_from(sorted(websocket())), values, max_size=4),
)


@given(scopes, st.lists(messages, max_size=6), st.lists(messages, max_size=3))
@settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
def test_nothing_that_is_said_disturbs_the_tap(scope: Any, said: Any, heard: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for _ in heard:
            await receive()
        for message in said:
            await send(message)

    class Deaf(Server):
        async def send(self, message: Any) -> None:
            self.sent.append(message)

    traced, server = trace(app), Deaf(heard)
    assert asyncio.run(server.call(traced, scope)) is None
    assert len(server.sent) == len(said)
    assert all(event.data["rule"] in rules() for event in findings(traced))


class Hostile(dict[str, Any]):
    def get(self, *_: Any) -> Any:
        raise RuntimeError("hands off")

    __getitem__ = __contains__ = items = __iter__ = get  # type: ignore[assignment]


@pytest.mark.parametrize(
    "message", [Hostile(START), {"type": Hostile()}, {**START, "x": Hostile()}]
)
def test_a_message_that_resists_passes_all_the_same(message: Any) -> None:
    taken: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(message)

    async def send(given: Any) -> None:
        taken.append(given)

    asyncio.run(trace(app)(http(), Server([]).receive, send))
    assert taken[0] is message


# --- findings ------------------------------------------------------------------------------------


def test_a_finding_follows_its_event_and_is_counted_at_the_end() -> None:
    found = called(shouts).trace
    first = next(event for event in found if event.kind == "finding")
    assert found[found.events.index(first) - 1].kind == "send"
    told = {event.data["rule"]: event.data for event in found if "count" in event.data}
    assert {rule: data["count"] for rule, data in told.items()} == {"H2": 2, "H3": 3, "H6": 3}
    assert len({data["at"] for data in told.values()}) == 1
    assert len([event for event in found if event.kind == "finding"]) == 2 * len(told)


def test_a_finding_is_a_line_of_the_text() -> None:
    text = str(called(shouts).trace.filter("kind=finding rule=H3"))
    assert "! H3 broken by the app: the status is a str: '200', at test_spec.py:" in text
    assert text.endswith("(3 times)")


def test_findings_can_be_filtered() -> None:
    found = called(shouts).trace
    assert {event.data["rule"] for event in found.filter("side=app rule=H6")} == {"H6"}
    assert not found.filter("side=server").events


def test_values_of_headers_are_not_told() -> None:
    assert "secret" not in str(called(shouts).trace.filter("kind=finding"))


def test_rules_can_be_switched_off() -> None:
    assert not findings(called(shouts, rules=False))


def test_findings_are_the_same_in_each_run() -> None:
    """In virtual time a trace with findings has one digest."""

    async def once() -> str:
        return (await run(shouts, 3 * [get("/")])).digest

    assert asyncio.run(once()) == asyncio.run(once())


def test_a_run_may_leave_the_rules_out() -> None:
    async def main(**options: Any) -> int:
        found = await run(shouts, get("/"), **options)
        return len([event for event in found if event.kind == "finding"])

    assert asyncio.run(main()) > 0
    assert asyncio.run(main(rules=False)) == 0


def test_what_follows_from_a_fault_is_no_news() -> None:
    """The server refused: that the app then fails, and leaves no answer, is its doing."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({**START, "headers": [("a", "b")]})

    traced = trace(app)
    observe(traced, http(), refuse={0: TypeError("bytes expected")})
    assert [event.data["rule"] for event in findings(traced)] == ["H5"]


def test_who_leaves_excuses_the_app() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(MORE)
        while (await receive())["type"] != "http.disconnect":
            pass
        raise ConnectionError("gone")

    assert not findings(called(app, request(), GONE))


def test_layers_inward_of_a_fault_are_not_blamed() -> None:
    class Breaks(Middleware):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
            async def broken(message: Any) -> None:
                await send({**message, "status": "200"} if "status" in message else message)

            await self.app(scope, receive, broken)

    async def hello(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(END)

    (found,) = findings(called(Middleware(Breaks(Middleware(hello)))))
    assert found.data["rule"] == "H3"
    assert (found.layer, found.data["side"]) == (1, "middleware")
    assert found.data["who"].endswith("Breaks")


# --- the command line ----------------------------------------------------------------------------


def test_rules_are_listed(tmp_path: Path) -> None:
    done = command("rules", cwd=tmp_path)
    assert done.process.returncode == 0
    assert all(f" {name} " in done.stdout for name in rules())


def test_one_rule_is_told_in_full(tmp_path: Path) -> None:
    done = command("rules", "h1", cwd=tmp_path)
    assert "http.response.start comes before any http.response.body" in done.stdout
    assert "https://asgi.readthedocs.io/en/latest/specs/www.html#response-start" in done.stdout


def test_rules_are_data_too(tmp_path: Path) -> None:
    assert json.loads(command("rules", "W8", "--format", "json", cwd=tmp_path).stdout)["id"] == "W8"
    assert len(json.loads(command("rules", "--format", "json", cwd=tmp_path).stdout)) == len(
        rules()
    )


def test_an_unknown_rule_is_explained(tmp_path: Path) -> None:
    done = command("rules", "H99", cwd=tmp_path)
    assert done.process.returncode == 2
    assert done.stderr.startswith("asgi-lab: expected the id of a rule")
    assert "H9" in done.stderr
