"""Servers and loops of a learner's own, and the pictures of who waited, and who had a turn."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Iterable
from typing import Any

import pytest

from asgi_lab import get, run, user
from asgi_lab.clock import Deadlock, cpu
from asgi_lab.lesson import tiny_loop
from asgi_lab.lesson.pools import run_on
from asgi_lab.lesson.queueing import by_worker, in_line, most_at_once, visits_of
from asgi_lab.lesson.turns import READY, RUNNING, WAITING, Stretch, on_asyncio, turns
from asgi_lab.wsgi_server.gateway import answer

REPORT = get("/report")


def alone(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test on an event loop of its own."""

    def run_it() -> None:
        asyncio.run(test())

    run_it.__name__ = test.__name__
    return run_it


def clinic(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    time.sleep(1)
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"report"]


def one_worker(accept: Any, app: Any) -> None:
    while (request := accept()) is not None:
        answer(app, request)


def pool(accept: Any, app: Any, workers: int) -> None:
    threads = [threading.Thread(target=one_worker, args=(accept, app)) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@alone
async def test_a_server_of_ones_own_is_run_like_any_other() -> None:
    trace = await run_on(one_worker, clinic, 3 * [REPORT])
    assert [result.seconds for result in trace.results] == [1, 2, 3]
    assert trace.exact
    trace = await run_on(pool, clinic, 7 * [REPORT], workers=3)
    assert (trace.seconds, most_at_once(trace)) == (3, 3)
    assert trace.results[6].text == "report"


@alone
async def test_the_own_pool_and_ours_make_the_same_picture() -> None:
    own = await run_on(pool, clinic, 8 * [REPORT], workers=3)
    ours = await run(clinic, 8 * [REPORT], workers=3)
    assert str(by_worker(own)) == str(by_worker(ours))
    assert str(in_line(own)) == str(in_line(ours))


@alone
async def test_what_a_server_or_its_thread_raises_is_raised() -> None:
    def broken(accept: Any, app: Any) -> None:
        accept()
        raise LookupError("a mistake")

    def broken_thread(accept: Any, app: Any) -> None:
        threading.Thread(target=broken, args=(accept, app)).start()

    for serve in (broken, broken_thread):
        with pytest.raises(LookupError, match="a mistake"):
            await run_on(serve, clinic, REPORT)


@alone
async def test_a_server_that_answers_nobody_is_a_deadlock() -> None:
    with pytest.raises(Deadlock) as told:
        await run_on(lambda accept, app: None, clinic, REPORT)
    assert told.value.trace is not None


@alone
async def test_only_wsgi_apps_are_served_so() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    with pytest.raises(TypeError, match="expected a WSGI app"):
        await run_on(one_worker, app, REPORT)


@alone
async def test_visits_say_who_waited_and_who_served() -> None:
    visits = visits_of(await run(clinic, 3 * [REPORT], workers=2))
    second = 1_000_000_000
    told = [(v.number, v.worker, v.due, v.taken, v.done) for v in visits]
    assert told == [
        (1, 1, 0, 0, second),
        (2, 2, 0, 0, second),
        (3, 1, 0, second, 2 * second),
    ]
    later = visits_of(await run(clinic, user(REPORT, REPORT)))
    assert [(v.due, v.taken) for v in later] == [(0, 0), (second, second)]


@alone
async def test_pictures_of_a_line_say_the_same_in_words() -> None:
    trace = await run(clinic, 3 * [REPORT], workers=2)
    scene = in_line(trace).scene
    assert scene is not None
    assert scene.alt == (
        "3 requests, 2 workers: all done after 2 s. 1 of them wait in line first, for up to 1 s."
    )
    scene = by_worker(trace).scene
    assert scene is not None
    assert scene.alt.endswith("worker 1: #1, #3; worker 2: #2.")
    pytest.importorskip("matplotlib")
    assert in_line(trace).png() == in_line(trace).png()
    assert "worker 2" in in_line(trace).svg()


def steps(*wishes: float | None, work: float = 0.0) -> Generator[float | None, None, str]:
    for wish in wishes:
        cpu(work)
        yield wish
    return "done"


def test_turns_are_noted_from_inside_the_tasks() -> None:
    watched = turns(tiny_loop.run, a=steps(None, 1.0), b=steps(0.5), c=steps(None, work=0.2))
    assert watched.order == ["a", "b", "c", "a", "c", "b", "a"]
    assert watched.ended == ["c", "b", "a"]
    assert watched.result == ["done"] * 3
    assert watched.times("a") == [0.0, 0.2, 1.2]
    assert watched.seconds == 1.2
    assert watched.idle() is None
    assert watched.at_once(RUNNING) == 1
    assert watched.at_once(WAITING) == 2
    assert Stretch(0, 200_000_000, "a", READY) in watched.stretches()


def test_a_loop_that_sleeps_while_somebody_is_ready_is_found_idle() -> None:
    def sleepy(*tasks: Any) -> None:
        for task in tasks:
            for wish in task:
                time.sleep(wish or 0)

    assert turns(sleepy, a=steps(1.0), b=steps(None)).idle() == Stretch(
        0, 1_000_000_000, "b", READY
    )


async def work(sleep: Any, seconds: float) -> float:
    cpu(0.125)
    await sleep(seconds)
    cpu(0.125)
    return seconds


def test_asyncio_gives_the_same_turns_as_the_tiny_loop() -> None:
    def tasks(sleep: Any) -> dict[str, Any]:
        return {f"t{n}": work(sleep, seconds) for n, seconds in enumerate((0.75, 0.25, 0.5, 0.25))}

    ours = turns(tiny_loop.run, **tasks(tiny_loop.sleep))
    real = turns(on_asyncio, **tasks(asyncio.sleep))
    assert ours.stretches(RUNNING) == real.stretches(RUNNING)
    assert ours.ended == real.ended == ["t1", "t3", "t0", "t2"]
    assert ours.result == real.result == [0.75, 0.25, 0.5, 0.25]


def test_moments_that_no_float_can_tell_are_reached_all_the_same() -> None:
    tasks = {f"t{n}": steps(n / 10, work=0.1) for n in (3, 1, 2)}
    watched = turns(tiny_loop.run, **tasks)
    assert watched.seconds == pytest.approx(0.5)
    assert watched.idle() is None


def test_cancelling_passes_through_what_is_watched() -> None:
    async def main(*tasks: Any) -> list[Any]:
        running = [asyncio.ensure_future(task) for task in tasks]
        await asyncio.sleep(1)
        for task in running:
            task.cancel()
        return await asyncio.gather(*running, return_exceptions=True)

    async def long() -> None:
        await asyncio.sleep(9)

    watched = turns(lambda *tasks: asyncio.run(main(*tasks)), a=long())
    assert watched.times("a") == [0.0, 1.0]
    assert watched.ended == ["a"]
    assert isinstance(watched.result[0], asyncio.CancelledError)


def test_what_was_noted_of_a_loop_that_failed_is_kept() -> None:
    def broken(task: Any) -> None:
        task.send(None)
        raise LookupError

    with pytest.raises(LookupError) as told:
        turns(broken, a=steps(1.0))
    assert told.value.turns.order == ["a"]  # type: ignore[attr-defined]
