"""The words of a workload: what each makes, and what it says to nonsense."""

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from asgi_lab.client import (
    After,
    Close,
    Expect,
    Pause,
    Request,
    User,
    after,
    close,
    delete,
    every,
    expect,
    get,
    head,
    options,
    patch,
    pause,
    poisson,
    post,
    put,
    request,
    user,
    ws,
)
from asgi_lab.client.steps import bursts
from asgi_lab.client.words import each

JSON = (("content-type", "application/json"),)
OCTETS = (("content-type", "application/octet-stream"),)
TEXT = (("content-type", "text/plain; charset=utf-8"),)


@pytest.mark.parametrize(
    ("word", "made"),
    [
        (get("/x"), Request("GET", "/x")),
        (get("/a/../b c?q=é"), Request("GET", "/a/../b%20c?q=%C3%A9")),
        (get("/", headers={"x-a": "1"}), Request("GET", "/", (("x-a", "1"),))),
        (get("/", headers=[("x", "1"), ("x", "2")]), Request("GET", "/", (("x", "1"), ("x", "2")))),
        (head("/"), Request("HEAD", "/")),
        (options("/"), Request("OPTIONS", "/")),
        (delete("/"), Request("DELETE", "/")),
        (request("query", "/"), Request("QUERY", "/")),
        (post("/"), Request("POST", "/")),
        (post("/", b"\xff"), Request("POST", "/", OCTETS, b"\xff")),
        (put("/", "é"), Request("PUT", "/", TEXT, "é".encode())),
        (post("/", json={"a": [1, "é"]}), Request("POST", "/", JSON, '{"a":[1,"é"]}'.encode())),
        (post("/", json=None), Request("POST", "/", JSON, b"null")),
        (post("/", '{"a": 1}'), Request("POST", "/", JSON, b'{"a": 1}')),
        (
            patch("/", json=1, headers={"Content-Type": "x/y"}),
            Request("PATCH", "/", (("Content-Type", "x/y"),), b"1"),
        ),
        (
            post("/", [b"a", pause(0.5), "é"]),
            Request("POST", "/", (), (b"a", Pause(0.5), "é".encode())),
        ),
        (
            get("/", at=1, think=2, hang_up=after(bytes=3), read_rate=4),
            Request("GET", "/", at=1, think=2, hang_up=After(3), read_rate=4),
        ),
        (
            ws("/c", "a", expect("b"), expect(), pause(1), b"\0", close(3000, "x"), at=1),
            Request(
                "WS",
                "/c",
                messages=("a", Expect("b"), Expect(), Pause(1), b"\0", Close(3000, "x")),
                at=1,
            ),
        ),
        (
            ws("/", headers={"x": "1"}, subprotocols=["a", "b"]),
            Request("WS", "/", (("x", "1"), ("sec-websocket-protocol", "a, b"))),
        ),
        (user(get("/a"), pause(1), get("/b"), at=2), User((get("/a"), Pause(1), get("/b")), 2)),
    ],
)  # fmt: skip
def test_what_a_word_makes(word: Any, made: Any) -> None:
    assert word == made
    assert hash(word) == hash(made)
    with pytest.raises((FrozenInstanceError, TypeError)):
        word.at = 1


@pytest.mark.parametrize(
    ("word", "text"),
    [
        (get("/slow?a=1"), "GET /slow?a=1"),
        (ws("/chat", "hi"), "WS /chat"),
        (user(get("/a"), pause(1.0), get("/b")), "GET /a, pause 1 s, GET /b"),
        (pause(0.25), "pause 0.25 s"),
        (expect(), "expect a message"),
        (expect("hi"), 'expect "hi"'),
        (expect(b"\0"), r"expect b'\x00'"),
        (expect("x" * 99), 'expect "' + "x" * 76 + "..."),
        (close(), "close 1000"),
        (close(3000, "enough"), 'close 3000 "enough"'),
        (after(bytes=100), "after 100 bytes"),
        (after(bytes=1, seconds=0.5), "after 1 bytes or 0.5 s"),
    ],
)
def test_words_can_be_read(word: Any, text: str) -> None:
    assert str(word) == text


@pytest.mark.parametrize(
    ("say", "words"),
    [
        (lambda: get("x"), ['a path begins with "/"', "'x'"]),
        (lambda: get(b"/x"), ['a path begins with "/"']),
        (lambda: get("/x#top"), ["#", "never sent"]),
        (lambda: request("GTE", "/"), ["unknown method 'GTE'", "did you mean GET?"]),
        (lambda: request("KNIT", "/"), ["unknown method 'KNIT'", "POST"]),
        (lambda: request(1, "/"), ["unknown method 1"]),
        (lambda: request("WS", "/"), ["ws('/', ...)"]),
        (lambda: Request("KNIT", "/"), ["unknown method 'KNIT'"]),
        (lambda: get("/", at=-1), ["at is a number of seconds, 0 or more", "-1"]),
        (lambda: get("/", at=float("nan")), ["at is a number of seconds"]),
        (lambda: get("/", think="1"), ["think is a number of seconds", "'1'"]),
        (lambda: get("/", read_rate=0), ["bytes a second, above 0", "0"]),
        (lambda: get("/", hang_up=1), ["after(bytes=...)", "1"]),
        (lambda: get("/", headers={"a b": "1"}), ["name of a header", "'a b'"]),
        (lambda: get("/", headers={"a": 1}), ["value is a text", "a: 1"]),
        (lambda: get("/", headers={"a": "b\r\nc: d"}), ["without control characters"]),
        (lambda: get("/", headers=["x"]), ['{"x-key": "1"}', "['x']"]),
        (lambda: post("/", 1), ["a body is bytes, str, or a list", "1"]),
        (lambda: post("/", [b"a", 1]), ["a body is made of bytes, pause", "1"]),
        (lambda: post("/", b"a", json=1), ["body or json, not both"]),
        (lambda: ws("/", 1), ["a WebSocket is made of str, bytes", "1"]),
        (lambda: ws("/", subprotocols="chat"), ["subprotocols is a list", "'chat'"]),
        (lambda: pause(-1), ["a pause is a number of seconds", "-1"]),
        (lambda: pause("1"), ["a pause is a number of seconds", "'1'"]),
        (lambda: expect(1), ["expect takes str or bytes", "1"]),
        (lambda: close(1006), ["1000-1003", "1006"]),
        (lambda: close(1000, "x" * 124), ["at most 123 bytes"]),
        (lambda: after(), ["bytes=100 or seconds=0.5"]),
        (lambda: after(bytes=0), ["a whole number, 1 or more", "0"]),
        (lambda: after(seconds=-1), ["seconds is a number of seconds", "-1"]),
        (lambda: user(get("/"), "x"), ["requests and pauses", "'x'"]),
        (lambda: user(get("/", at=1)), ["pause(1) before GET /"]),
        (lambda: every(-1, [get("/")]), ["between arrivals", "-1"]),
        (lambda: every(1, ["x"]), ["expected clients", "'x'"]),
        (lambda: poisson(0, [get("/")]), ["a rate is above 0", "0"]),
        (lambda: list(each(["GET /"])), ["a client is a request", "'GET /'"]),
        (lambda: list(each([1])), ["a client is a request", "1"]),
    ],
)
def test_nonsense_is_told_what_was_expected(say: Any, words: list[str]) -> None:
    with pytest.raises(ValueError) as caught:
        say()
    for word in words:
        assert word in str(caught.value)


def test_arrivals_one_by_one() -> None:
    clients = every(0.5, [get("/a"), get("/b", at=10), user(get("/c"), at=1)])
    assert [client.at for client in clients] == [0, 10.5, 2]


def test_random_arrivals_are_the_same_for_a_seed() -> None:
    clients = poisson(100, 2000 * [get("/")], seed=7)
    assert clients == poisson(100, 2000 * [get("/")], seed=7)
    assert clients != poisson(100, 2000 * [get("/")], seed=8)
    times = [client.at for client in clients]
    assert times == sorted(times)
    assert 18 < times[-1] < 22  # 2000 at 100 a second


def test_clients_in_nested_lists() -> None:
    a, b, c = get("/a"), get("/b"), user(get("/c"))
    assert list(each([a, [b, [], (c, a)], (x for x in [b])])) == [a, b, c, a, b]
    assert list(each(a)) == [a]


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        (b"", [(0, (b"",))]),
        ((), [(0, ())]),
        ((b"a", b"b"), [(0, (b"a", b"b"))]),
        ((Pause(1), b"a", Pause(2), Pause(3), b"b"), [(0, ()), (1, (b"a",)), (5, (b"b",))]),
        ((b"a", Pause(1)), [(0, (b"a",)), (1, ())]),
    ],
)
def test_a_body_goes_out_in_bursts(body: Any, sent: Any) -> None:
    assert list(bursts(body)) == sent
