"""`run(app, *clients)` in virtual time: exact, the same each time, and nothing left behind."""

import asyncio
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from asgi_lab import (
    Deadlock,
    Horizon,
    Refused,
    Stall,
    after,
    compare,
    every,
    get,
    pause,
    post,
    real,
    run,
    user,
    virtual,
    ws,
)
from asgi_lab.events import Trace
from asgi_lab.memory import LifespanFailed
from proofs.truth import Both, order
from tests.experiments import (
    DIFFER,
    EXPERIMENTS,
    answer,
    blocking,
    changed,
    chat,
    in_threads,
    print_of,
    raw,
    recurrence,
    sleepy,
    sleepy_wsgi,
    standing,
    stream,
    upload,
    wsgi,
)

ROOT = Path(__file__).parent.parent


def ran(app: Any, *clients: Any, **settings: Any) -> Trace:
    return asyncio.run(run(app, *clients, **settings))


@pytest.fixture
def clean() -> Any:
    """All is as it was: what was replaced is put back, and no thread stays behind."""
    before = standing()
    yield
    assert not changed(before)


@pytest.fixture
def traced_pools() -> None:
    """Follow calls into thread pools from now on, as the first tracer of a process does."""
    asyncio.run(run(hello, get("/"), clock=real()))


# Exact, and the same each time.


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.xfail(strict=True, reason=DIFFER[name]))
        if name in DIFFER
        else name
        for name in EXPERIMENTS
    ],
)
def test_takes_its_seconds_exactly_and_is_the_same_each_time(name: str) -> None:
    experiment = EXPERIMENTS[name]
    trace = asyncio.run(experiment.run())
    assert trace.seconds == round(experiment.seconds, 9)
    assert trace.exact
    assert {result.error for result in trace.results} <= {"", "no answer within 0.5 s"}
    assert {result.status for result in trace.results} <= {200, 101, None}
    for _ in range(2):
        again = asyncio.run(experiment.run())
        assert (again.digest, print_of(again)) == (trace.digest, print_of(trace))


@pytest.mark.skipif(sys.platform != "linux", reason="where the system tells the peak")
def test_ten_thousand_requests_need_less_than_160_mebibytes() -> None:
    script = (
        "import asyncio\n"
        "from tests.experiments import EXPERIMENTS\n"
        "trace = asyncio.run(EXPERIMENTS['raw, ten thousand'].run())\n"
        "print(trace.seconds, *open('/proc/self/status'))"
    )
    out = subprocess.check_output([sys.executable, "-c", script], text=True, cwd=ROOT)
    seconds, *status = out.split()
    assert seconds == "1.0"
    assert int(status[status.index("VmHWM:") + 1]) < 160 * 1024


@pytest.mark.parametrize("threads", [False, True])
def test_queues_match_the_recurrence_to_the_nanosecond(threads: bool) -> None:
    """WSGI workers (or the threads of one) are a queue with so many servers."""
    chance = random.Random(f"queues {threads}")
    app = sleepy_wsgi()
    for _ in range(30):
        servers, count = chance.randint(1, 9), chance.randint(1, 40)
        arrivals = sorted(chance.randint(0, 3_000_000_000) for _ in range(count))
        if chance.random() < 0.5:  # many at once: first written, first served
            arrivals = sorted(chance.choice([0, 250_000_000, 10**9]) for _ in range(count))
        services = [chance.randint(1, 2_000_000_000) for _ in range(count)]
        clients = [
            get(f"/?{service / 1e9!r}", at=arrival / 1e9)
            for arrival, service in zip(arrivals, services, strict=True)
        ]
        size = {"threads": servers} if threads else {"workers": servers}
        trace = ran(app, clients, **size)
        ended = [round(result.ended * 1e9) for result in trace.results]
        assert ended == recurrence(arrivals, services, servers)


# What comes back.


def test_results_say_what_each_client_got_and_when_in_the_order_written() -> None:
    trace = ran(upload(), post("/", "hello", at=1.0), post("/", ["ab", pause(0.5), "c"]))
    one, two = trace.results
    assert (one.status, one.text, one.started, one.seconds) == (200, "[] 5", 1.0, 0.0)
    assert (two.status, two.text, two.started, two.seconds) == (200, "[2] 1", 0.0, 0.5)
    assert dict(two.headers)["content-length"] == "5"
    assert trace.seconds == 1.0


def test_the_parts_of_a_stream_have_their_times() -> None:
    trace = ran(stream(), get("/"))
    result = trace.results[0]
    assert (result.first_byte, result.seconds, result.received) == (0.0, 2.0, 8000)
    assert [event.t for event in trace.filter("kind=send type=http.response.body")] == [
        *(250_000_000 * n for n in range(1, 9)),
        2_000_000_000,
    ]


def test_a_client_that_hangs_up_is_no_error_and_the_app_is_told() -> None:
    trace = ran(stream(), get("/", hang_up=after(seconds=0.6)))
    assert (trace.results[0].hung_up, trace.results[0].error) == (True, "")
    told = [event.t for event in trace.filter("kind=received") if event.type == "http.disconnect"]
    assert told == [600_000_000]


def test_a_websocket_keeps_its_replies() -> None:
    trace = ran(chat(), ws("/", "a", pause(1.0), "b", pause(1.0)))
    result = trace.results[0]
    assert (result.status, result.messages, result.close_code) == (101, ("A", "B"), 1000)


def test_users_and_arrivals_begin_at_their_times() -> None:
    clients = [user(get("/"), pause(0.5), get("/")), every(0.25, 3 * [get("/")])]
    trace = ran(sleepy(), clients)
    assert [r.started for r in trace.results] == [0.0, 1.5, 0.0, 0.25, 0.5]
    assert [r.ended for r in trace.results] == [1.0, 2.5, 1.0, 1.25, 1.5]


def test_a_failing_app_answers_500_and_the_others_go_on() -> None:
    @raw
    async def fails(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(0.5)
        if scope["path"] == "/fail":
            raise LookupError("broken")
        await answer(send)

    trace = ran(fails(), get("/fail"), get("/"))
    assert [r.status for r in trace.results] == [500, 200]
    assert [dict(e.data)["error"] for e in trace.filter("kind=raise")][-1].startswith("LookupError")


def test_the_header_says_what_ran_where() -> None:
    header = ran(sleepy(), get("/")).header
    assert (header["server"], header["clock"]) == ("memory", "virtual")
    served = ran(sleepy(), get("/"), server="uvicorn", clock=virtual()).header["server"]
    assert served.startswith("uvicorn ")


def test_each_run_tells_its_own_servers_address() -> None:
    seen: list[Any] = []
    told: list[Any] = []

    @raw
    async def looks(scope: Any, receive: Any, send: Any) -> None:
        seen.append(list(scope["server"]))
        await answer(send)

    for server in ("memory", "uvicorn"):
        trace = ran(looks(), get("/"), server=server, clock=virtual())
        told += [event.data["server"] for event in trace.filter("kind=scope path=/")]
    assert told == seen


@pytest.mark.usefixtures("traced_pools", "clean")
def test_the_same_call_on_the_real_clock_is_not_exact() -> None:
    @raw
    async def hello(scope: Any, receive: Any, send: Any) -> None:
        await answer(send)

    for server in ("memory", "uvicorn", "lab"):
        trace = ran(hello(), get("/"), server=server, clock=real())
        assert not trace.exact
        assert trace.header["clock"] == "real"
        assert [(r.status, r.text) for r in trace.results] == [(200, "hello")]


@pytest.mark.usefixtures("clean")
def test_it_runs_beside_what_else_the_event_loop_does() -> None:
    async def main() -> list[float]:
        before = time.monotonic()
        traces = [await run(sleepy(), get("/")), await run(in_threads(), get("/"))]
        assert time.monotonic() - before < 3600  # this loop's own clock is the real one
        return [trace.seconds for trace in traces]

    assert asyncio.run(main()) == [1.0, 1.0]


@pytest.mark.usefixtures("clean")
def test_prints_appear_once_and_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    @raw
    async def prints(scope: Any, receive: Any, send: Any) -> None:
        print("before", scope["path"])
        await asyncio.to_thread(lambda: (time.sleep(1.0), print("thread", scope["path"])))
        print("after", scope["path"])
        await answer(send)

    ran(prints(), get("/a"), get("/b", at=0.5))
    told = ["before /a", "before /b", "thread /a", "after /a", "thread /b", "after /b"]
    assert capsys.readouterr().out.splitlines() == told


# What makes no sense is refused, in words.


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await answer(send)


def hello_wsgi(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [])
    return [b"hello"]


ASGI, WSGI = (hello, get("/")), (hello_wsgi, get("/"))
WRONG: list[tuple[type[Exception], str, tuple[Any, ...], dict[str, Any]]] = [
    (TypeError, "expected an ASGI or WSGI app, got int: 42", (42, get("/")), {}),
    (ValueError, "no module named 'nowhere'", ("nowhere:app", get("/")), {}),
    (ValueError, "a run needs a client", (hello,), {}),
    (ValueError, "a run needs a client", (hello, []), {}),
    (ValueError, "a client is a request .* got 3", (hello, 3), {}),
    (ValueError, "unknown server 'unicorn': .* memory, uvicorn,", ASGI, {"server": "unicorn"}),
    (ValueError, "granian runs in a process .* by name", ASGI, {"server": "granian"}),
    (ValueError, "gunicorn runs in a process .* by name", WSGI, {"server": "gunicorn"}),
    (ValueError, "real sockets.*=real", ASGI, {"server": "hypercorn", "clock": virtual()}),
    (ValueError, "real sockets.*=real", WSGI, {"server": "lab", "clock": virtual()}),
    (ValueError, "an ASGI app has one event loop", ASGI, {"workers": 2}),
    (ValueError, "workers is a number of at least 1", WSGI, {"workers": 0}),
    (ValueError, "threads is a number of at least 1", WSGI, {"threads": 0}),
    (ValueError, "concurrency is at least 1", ASGI, {"concurrency": 0}),
    (ValueError, "max_events is a number of at least 1", ASGI, {"max_events": 0}),
    (ValueError, "timeout is a number of seconds", ASGI, {"timeout": -1}),
    (ValueError, "timeout is a number of seconds", ASGI, {"timeout": "1"}),
    (ValueError, r"clock is virtual\(\) or real\(\)", ASGI, {"clock": "virtual"}),
    (ValueError, "speaks WSGI, and uvicorn does not", WSGI, {"server": "uvicorn"}),
    (ValueError, "threads= is for", ASGI, {"server": "uvicorn", "threads": 2}),
]


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize(("kind", "words", "what", "settings"), WRONG)
def test_what_makes_no_sense_is_refused(
    kind: type[Exception], words: str, what: Any, settings: Any
) -> None:
    with pytest.raises(kind, match=words):
        ran(*what, **settings)


# What goes wrong: it says so, carries what came before, and leaves nothing behind.


async def does_not_start(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})


@pytest.mark.usefixtures("clean")
def test_an_app_that_does_not_start() -> None:
    with pytest.raises(LifespanFailed, match="no database") as caught:
        ran(does_not_start, get("/"))
    types = [event.type for event in caught.value.trace.filter("kind=send")]  # type: ignore[attr-defined]
    assert types == ["lifespan.startup.failed"]


@pytest.mark.parametrize("server", ["uvicorn", "lab"])
@pytest.mark.parametrize("clock", ["real", "virtual"])
def test_an_app_that_does_not_start_on_a_server(server: str, clock: str) -> None:
    """In a process of its own: nothing is said at its end, either."""
    script = (
        "import asyncio\n"
        "from asgi_lab import get, real, run, virtual\n"
        "from tests.test_experiment import does_not_start\n"
        "try:\n"
        f"    asyncio.run(run(does_not_start, get('/'), server='{server}', clock={clock}()))\n"
        "except RuntimeError as error:\n"
        "    print(error)"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.startswith(f"{server} did not start")
    assert "Exception ignored" not in done.stderr


NEAR, FAR = socket.socketpair()


@pytest.fixture(scope="module", autouse=True)
def close_sockets() -> Iterator[None]:
    yield
    NEAR.close()
    FAR.close()


@raw
async def waits_for_nobody(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.sleep(1.5)
    if scope["path"] == "/wait":
        await asyncio.Event().wait()
    await answer(send)


@raw
async def sleeps_for_ever(scope: Any, receive: Any, send: Any) -> None:
    while True:
        await asyncio.sleep(10.0)


@raw
async def waits_outside(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.sleep(1.5)
    NEAR.recv(1)


@raw
async def runs_a_command(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.sleep(1.5)
    subprocess.run(["true"], check=True)


@raw
async def waits_in_a_thread(scope: Any, receive: Any, send: Any) -> None:
    def wait() -> None:
        threading.Event().wait()

    await asyncio.to_thread(wait)


@wsgi
def wsgi_waits_for_nobody(environ: Any) -> Iterable[bytes]:
    threading.Event().wait()
    return []


@wsgi
def wsgi_runs_a_command(environ: Any) -> Iterable[bytes]:
    subprocess.run(["true"], check=True)
    return []


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize(
    ("app", "kind", "words"),
    [
        (waits_for_nobody, Deadlock, r"at 1.5 s .*\n.*waits since 1.5 s for an event that nobody"),
        (waits_in_a_thread, Deadlock, r"thread asyncio_0 waits since 0 s for an event that nobody"),
        (sleeps_for_ever, Horizon, r"passed 100 s(.|\n)*in sleeps_for_ever: await asyncio.sleep"),
        (waits_outside, Stall, r"in waits_outside: NEAR\.recv\(1\)"),
        (runs_a_command, Refused, r"a subprocess cannot be simulated .*in runs_a_command"),
        (wsgi_waits_for_nobody, Deadlock, r"thread worker-1 waits .* in wsgi_waits_for_nobody"),
        (wsgi_runs_a_command, Refused, r"a subprocess .* in wsgi_runs_a_command"),
    ],
)
def test_a_run_that_cannot_go_on_says_why_and_carries_its_trace(
    app: Any, kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words) as caught:
        ran(app(), get("/wait"), clock=virtual(horizon=100.0, stall_after=0.3))
    trace: Trace = caught.value.trace  # type: ignore[attr-defined]
    assert [event.data["path"] for event in trace.filter("kind=scope path=/wait")] == ["/wait"]
    assert trace.header["clock"] == "virtual"


@pytest.mark.usefixtures("clean")
def test_after_a_failure_the_next_run_is_the_same_as_ever() -> None:
    first = ran(in_threads(), 3 * [get("/")]).digest
    for app in (waits_for_nobody, waits_in_a_thread, runs_a_command):
        with pytest.raises((Deadlock, Refused)):
            ran(app(), get("/wait"))
    assert ran(in_threads(), 3 * [get("/")]).digest == first


@pytest.mark.usefixtures("clean")
def test_blocking_in_one_request_holds_the_others_and_is_in_the_trace() -> None:
    trace = ran(blocking(), get("/"), get("/"))
    blocks = trace.filter("kind=block")
    assert [(event.t, event.took) for event in blocks] == [(10**9, 10**9), (2 * 10**9, 10**9)]
    assert all("time.sleep(1.0)" not in event.data["at"] for event in blocks)
    assert all("in blocking" in event.data["at"] for event in blocks)


def test_determinism_in_short() -> None:
    """A part of `make determinism`: other processes, other hash seeds, the same traces."""
    command = [sys.executable, "-m", "proofs.determinism", "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_proof_of_truth_sees_another_order() -> None:
    """What `make truth` says of two traces: equal, or where they differ first."""
    trace = asyncio.run(EXPERIMENTS["raw, mixed"].run())
    assert order(Both("raw, mixed", trace, trace)) == "equal"
    late = [event for event in trace if event.conn == 2]
    moved = trace.of([*(event for event in trace if event.conn != 2), *late])
    assert "the start of /block no. 1 before the start of / no. 2" in order(
        Both("raw, mixed", trace, moved)
    )
    fewer = trace.of(event for event in trace if event.kind != "send" or event.conn != 2)
    assert "/, event 1: send http.response.start, really sent" in order(Both("", trace, fewer))


def test_a_comparison_is_a_coroutine_like_any_other() -> None:
    both = compare(hello, hello, get("/"))
    assert asyncio.run(both).ratio == 1.0  # type: ignore[arg-type]
    assert compare(hello, hello, get("/")).ratio == 1.0


def test_an_app_that_ends_by_no_exception_leaves_no_client_waiting() -> None:
    class Ended(BaseException):
        pass

    @raw
    async def ends(scope: Any, receive: Any, send: Any) -> None:
        raise Ended

    trace = ran(ends(), get("/"))
    assert trace.results[0].error == "server closed the connection without answering"


def test_a_header_with_spaces_around_it_is_trimmed() -> None:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Set-Cookie", " a=b")])
        return [b"x"]

    assert dict(ran(app, get("/")).results[0].headers)["set-cookie"] == "a=b"


def test_an_objects_address_in_an_error_makes_no_difference() -> None:
    kept = []

    @raw
    async def fails(scope: Any, receive: Any, send: Any) -> None:
        kept.append(object())
        raise ValueError(kept[-1])

    first, second = (ran(fails(), get("/")) for _ in range(2))
    assert first.digest == second.digest
    messages = {event.data["message"] for event in first if event.kind == "raise"}
    assert "<object object at 0x…>" in messages
