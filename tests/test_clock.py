"""Virtual time: how long things take, in which order, and what it leaves behind."""

import asyncio
import gc
import heapq
import os
import queue
import random
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import anyio.to_thread
import pytest

from asgi_lab.clock import Deadlock, Horizon, Refused, Stall, VirtualTimeError, cpu, real, virtual
from tests.clock_scenarios import SCENARIOS, WORLDS, play

NS = 1_000_000_000


@pytest.mark.parametrize("name", SCENARIOS)
def test_takes_as_long_as_it_should_and_is_the_same_each_time(name: str) -> None:
    took, notes = play(name, WORLDS.get(name))
    assert took == round(SCENARIOS[name][1] * NS)
    for _ in range(4):
        assert play(name, WORLDS.get(name)) == (took, notes)


def test_equal_timers_fire_in_the_order_of_setting() -> None:
    assert [i for _, _, i in play("equal_sleeps")[1]] == list(range(10))


def reference(arrivals: Sequence[int], services: Sequence[int], servers: int) -> list[int]:
    """When each request is done, in a queue with so many servers: the textbook's recurrence."""
    free = [0] * servers
    done = []
    for arrival, service in zip(arrivals, services, strict=True):
        end = max(arrival, heapq.heappop(free)) + service
        heapq.heappush(free, end)
        done.append(end)
    return done


def by_threads(gaps: list[float], services: list[float], servers: int) -> list[int]:
    done = [0] * len(gaps)

    def whole() -> None:
        requests: queue.Queue[int | None] = queue.Queue()

        def work() -> None:
            while (i := requests.get()) is not None:
                time.sleep(services[i])
                done[i] = time.monotonic_ns()

        threads = [threading.Thread(target=work) for _ in range(servers)]
        for thread in threads:
            thread.start()
        for i, gap in enumerate(gaps):
            time.sleep(gap)
            requests.put(i)
        for _ in threads:
            requests.put(None)
        for thread in threads:
            thread.join()

    virtual().call(whole)
    return done


def by_anyio(gaps: list[float], services: list[float], servers: int) -> list[int]:
    done = [0] * len(gaps)

    async def whole() -> None:
        limiter = anyio.CapacityLimiter(servers)

        async def one(i: int) -> None:
            await anyio.to_thread.run_sync(time.sleep, services[i], limiter=limiter)
            done[i] = time.monotonic_ns()

        async with anyio.create_task_group() as group:
            for i, gap in enumerate(gaps):
                await asyncio.sleep(gap)
                group.start_soon(one, i)

    virtual().run(whole)
    return done


def by_semaphore(gaps: list[float], services: list[float], servers: int) -> list[int]:
    done = [0] * len(gaps)

    async def whole() -> None:
        slots = asyncio.Semaphore(servers)

        async def one(i: int) -> None:
            async with slots:
                await asyncio.sleep(services[i])
                done[i] = time.monotonic_ns()

        tasks = []
        for i, gap in enumerate(gaps):
            await asyncio.sleep(gap)
            tasks.append(asyncio.create_task(one(i)))
        await asyncio.gather(*tasks)

    virtual().run(whole)
    return done


@pytest.mark.parametrize("simulate", [by_threads, by_anyio, by_semaphore])
def test_queues_match_the_recurrence_to_the_nanosecond(
    simulate: Callable[[list[float], list[float], int], list[int]],
) -> None:
    rng = random.Random(simulate.__name__)
    for _ in range(100):
        servers, count = rng.randint(1, 9), rng.randint(1, 60)
        gaps = [rng.choice([0, 1, 3, 10, 137]) / 1000 for _ in range(count)]
        services = [rng.randint(0, 3000) / 1000 for _ in range(count)]
        arrivals, at = [], 0
        for gap in gaps:
            at += round(gap * NS)
            arrivals.append(at)
        wanted = reference(arrivals, [round(s * NS) for s in services], servers)
        assert simulate(gaps, services, servers) == wanted


# The three measures without which it is not deterministic.


def test_without_fifo_timers_equal_sleeps_wake_in_another_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from asgi_lab.clock.loop import Timer

    monkeypatch.setattr(Timer, "__lt__", lambda one, other: one.at < other.at)
    assert [i for _, _, i in play("equal_sleeps")[1]] != list(range(10))


def test_without_numbered_tasks_sets_of_tasks_are_walked_in_another_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from asgi_lab.clock.loop import VirtualTask

    ordered = play("cancelled_group")
    monkeypatch.setattr(VirtualTask, "__hash__", asyncio.Task.__hash__)
    assert any(play("cancelled_group") != ordered for _ in range(5))


def test_without_ordered_scopes_anyio_cancels_in_another_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from asgi_lab.clock import patches

    ordered = play("cancelled_scopes")
    monkeypatch.setattr(patches, "OrderedSet", set)
    assert any(play("cancelled_scopes") != ordered for _ in range(5))


# What it leaves behind.

PATCHED = (
    lambda: time.sleep,
    lambda: time.monotonic,
    lambda: time.time,
    lambda: threading.Lock,
    lambda: threading.RLock,
    lambda: threading.Thread.start,
    lambda: threading.Thread.join,
    lambda: queue.SimpleQueue,
    lambda: ThreadPoolExecutor.submit,
    lambda: ThreadPoolExecutor.__init__,
    lambda: asyncio.new_event_loop,
    lambda: asyncio.wait_for,
    lambda: subprocess.Popen.__init__,
    lambda: os.fork,
    lambda: socket.socket.connect,
    lambda: signal.getsignal(signal.SIGINT),
    lambda: signal.getsignal(signal.SIGALRM),
    lambda: signal.getitimer(signal.ITIMER_REAL),
    lambda: gc.isenabled(),
    lambda: sys.get_asyncgen_hooks(),
)


@pytest.fixture
def clean() -> Any:
    """Nothing stays patched, and no thread stays behind."""
    before, threads = [look() for look in PATCHED], set(threading.enumerate())
    yield
    assert [look() for look in PATCHED] == before
    assert set(threading.enumerate()) == threads


async def succeed() -> str:
    await asyncio.to_thread(time.sleep, 1)
    return "done"


async def fail() -> None:
    await asyncio.to_thread(time.sleep, 1)
    raise LookupError("mine")


async def wait_for_nobody() -> None:
    async def worker(items: "asyncio.Queue[int]") -> None:
        await items.get()

    await asyncio.sleep(1.5)
    await asyncio.gather(worker(asyncio.Queue()), asyncio.to_thread(threading.Event().wait))


async def sleep_for_ever() -> None:
    while True:
        await asyncio.sleep(10)


@pytest.mark.usefixtures("clean")
def test_a_result_comes_back_and_nothing_stays() -> None:
    assert virtual().run(succeed) == "done"


@pytest.mark.usefixtures("clean")
def test_the_apps_own_error_comes_back_and_nothing_stays() -> None:
    with pytest.raises(LookupError, match="mine"):
        virtual().run(fail)


@pytest.mark.usefixtures("clean")
def test_a_deadlock_says_who_waits_on_what_since_when_at_which_line() -> None:
    with pytest.raises(Deadlock) as caught:
        virtual().run(wait_for_nobody)
    message = str(caught.value)
    assert message.startswith("at 1.5 s of virtual time nothing can run any more")
    assert "task 'Task-2' waits since 1.5 s for an item that nobody puts into the queue" in message
    assert "in worker: await items.get()" in message
    assert "test_clock.py:" in message


@pytest.mark.usefixtures("clean")
def test_threads_that_hold_each_others_lock_are_named() -> None:
    def whole() -> None:
        one, other = threading.Lock(), threading.Lock()

        def take(first: Any, second: Any) -> None:
            with first:
                time.sleep(1)
                with second:
                    pass

        threads = [
            threading.Thread(target=take, args=locks, name=name)
            for name, locks in {"a": (one, other), "b": (other, one)}.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    with pytest.raises(Deadlock) as caught:
        virtual().call(whole)
    message = str(caught.value)
    assert "thread main waits since 0 s for thread a to end" in message
    assert "thread a waits since 1 s for a lock that b took" in message
    assert "thread b waits since 1 s for a lock that a took" in message
    assert "in take: with second:" in message


@pytest.mark.usefixtures("clean")
def test_endless_timers_reach_the_horizon() -> None:
    with pytest.raises(Horizon, match=r"passed 3600 s(.|\n)*waits since 3600 s for a timer, at "):
        virtual(horizon=3600).run(sleep_for_ever)


@pytest.mark.usefixtures("clean")
def test_a_real_wait_in_the_main_thread_is_a_stall_that_names_the_line() -> None:
    one, other = socket.socketpair()

    async def whole() -> None:
        one.recv(1)

    told = r"thread main has stood still for 0.5 s(.|\n)*one\.recv\(1\)"
    with one, other, pytest.raises(Stall, match=told):
        virtual(stall_after=0.5).run(whole)


def test_a_real_wait_in_a_worker_is_a_stall_that_names_the_line() -> None:
    one, other = socket.socketpair()

    def receive() -> None:
        one.recv(1)

    async def whole() -> None:
        await asyncio.to_thread(receive)

    with pytest.raises(Stall, match=r"in receive: one\.recv\(1\)"):
        virtual(stall_after=0.5).run(whole)
    other.send(b"x")  # lets the thread go
    for thread in threading.enumerate():
        if thread.name.startswith("asyncio"):
            thread.join()
    one.close()
    other.close()


@pytest.mark.usefixtures("clean")
def test_a_turning_loop_without_timers_is_a_stall() -> None:
    async def whole() -> None:
        while True:
            await asyncio.sleep(0)

    with pytest.raises(Stall, match="polls"):
        virtual().run(whole)


async def run_a_command() -> None:
    subprocess.run(["true"], check=True)


async def run_a_command_async() -> None:
    await asyncio.create_subprocess_exec("true")


async def use_processes() -> None:
    from concurrent.futures import ProcessPoolExecutor

    ProcessPoolExecutor(1)


async def fork() -> None:
    os.fork()


async def use_uvloop() -> None:
    uvloop = pytest.importorskip("uvloop")
    await asyncio.to_thread(lambda: uvloop.new_event_loop().run_until_complete(succeed()))


async def use_another_loop() -> None:
    await asyncio.to_thread(lambda: asyncio.SelectorEventLoop().run_until_complete(succeed()))


@pytest.mark.usefixtures("clean")
@pytest.mark.filterwarnings("ignore")  # loops and coroutines that were refused are left open
@pytest.mark.parametrize(
    "main",
    [run_a_command, run_a_command_async, use_processes, fork, use_uvloop, use_another_loop],
)
def test_what_cannot_be_simulated_is_refused(main: Any) -> None:
    with pytest.raises(Refused, match=r"cannot be simulated in virtual time(.|\n)*clock=real"):
        virtual().run(main)
    gc.collect()


@pytest.mark.usefixtures("clean")
def test_a_refusal_is_not_swallowed_by_a_handler_of_all_errors() -> None:
    async def whole() -> str:
        try:
            subprocess.run(["true"], check=True)
        except Exception:
            return "swallowed"
        return "not refused"

    with pytest.raises(Refused):
        virtual().run(whole)


@pytest.mark.usefixtures("clean")
def test_a_real_connection_makes_the_run_inexact() -> None:
    from asgi_lab.clock.simulation import simulate

    server = socket.create_server(("127.0.0.1", 0))
    world = virtual().world()
    simulate(world, lambda: socket.create_connection(server.getsockname()).close())
    assert not world.exact
    server.close()


@pytest.mark.usefixtures("clean")
def test_threads_that_wait_when_a_run_ends_are_ended() -> None:
    ended = []

    def wait() -> None:
        try:
            threading.Event().wait()
        finally:
            ended.append("waits no more")

    def whole() -> str:
        threading.Thread(target=wait).start()
        threading.Thread(target=lambda: time.sleep(500)).start()
        time.sleep(1)
        return "done"

    assert virtual().call(whole) == "done"
    assert ended == ["waits no more"]


def test_a_world_inside_a_world_is_an_error() -> None:
    async def inner() -> None:
        virtual().run(succeed)

    with pytest.raises(VirtualTimeError, match="inside another"):
        virtual().run(inner)


@pytest.mark.usefixtures("clean")
def test_worlds_in_several_threads_do_not_meet() -> None:
    results: list[Any] = []

    def work() -> None:
        for name in ("to_thread", "primitives_of_threading", "queue_of_tasks"):
            results.append(play(name)[0])

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == sorted(3 * [2 * NS, round(1.75 * NS), 2 * NS])


@pytest.mark.usefixtures("clean")
def test_other_threads_keep_the_real_clock() -> None:
    """A thread outside of the world sees real time pass while virtual time jumps."""
    begun, seen = threading.Event(), []

    def look() -> None:
        begun.wait()
        seen.append(time.monotonic())
        seen.append(time.time())

    thread = threading.Thread(target=look)
    thread.start()
    before = time.monotonic(), time.time()

    def whole() -> None:
        time.sleep(5000)
        begun.set()

    virtual().call(whole)
    thread.join()
    assert before[0] <= seen[0] < before[0] + 5000
    assert before[1] <= seen[1] < before[1] + 5000


@pytest.mark.usefixtures("clean")
def test_it_starts_no_thread_where_the_app_starts_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a browser, where there are none to be had."""
    notes = play("queue_of_tasks")

    def start(*_: Any, **__: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("asgi_lab.clock.genuine.start", start)
    monkeypatch.setattr(threading.Thread, "start", start)
    assert play("queue_of_tasks") == notes


@pytest.mark.usefixtures("clean")
def test_it_runs_while_another_event_loop_does() -> None:
    async def outer() -> tuple[str, float]:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        result = await virtual().wait(succeed)
        assert asyncio.get_running_loop() is loop
        assert asyncio.current_task() is task
        return result, (await asyncio.sleep(0, 1.0))

    assert asyncio.run(outer()) == ("done", 1.0)


# Interrupts. Each runs in a process of its own, and gets a real SIGINT.

INTERRUPTED = """
import asyncio, signal, sys, threading, time
from asgi_lab.clock import real, virtual

async def spin():
    while True:
        pass

async def timers():
    while True:
        await asyncio.sleep(0.001)

async def worker():
    await asyncio.to_thread(lambda: [time.sleep(0.001) for _ in iter(int, 1)])

async def spinning_worker():
    await asyncio.to_thread(lambda: [0 for _ in iter(int, 1)])

async def stubborn():
    while True:
        try:
            while True:
                pass
        except Exception:
            pass

sleep = time.sleep
run = (virtual(horizon=1e9) if sys.argv[2] == "virtual" else real()).run
print("ready", flush=True)
try:
    run(globals()[sys.argv[1]])
except KeyboardInterrupt:
    time.sleep(0)
    assert time.sleep is sleep
    print([t.name for t in threading.enumerate()])
"""


@pytest.mark.parametrize("main", ["spin", "timers", "worker", "spinning_worker", "stubborn"])
def test_an_interrupt_ends_a_run(main: str) -> None:
    command = [sys.executable, "-c", INTERRUPTED, main, "virtual"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.3)  # it is a real signal to a real process that computes
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (out, err) == ("['MainThread']\n", "")


def test_cpu_in_the_real_world_computes() -> None:
    before = time.thread_time()
    cpu(0.02)
    assert time.thread_time() - before >= 0.02


def test_real_runs_the_same() -> None:
    assert real().run(succeed) == "done"


@pytest.mark.parametrize(
    "wrong", [{"horizon": 0}, {"stall_after": -1}, {"threads": 0}, {"latency": -0.1}]
)
def test_settings_that_make_no_sense_are_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        virtual(**wrong)


def test_chance_is_the_same_in_each_run_and_as_before_afterwards() -> None:
    def draw() -> tuple[Any, ...]:
        return random.random(), uuid.uuid4(), secrets.token_hex(), os.urandom(4)

    random.seed(7)
    expected = [random.random() for _ in range(2)]
    random.seed(7)
    assert random.random() == expected[0]
    assert virtual().call(draw) == virtual().call(draw)
    assert random.random() == expected[1]
    assert os.urandom(16) != os.urandom(16)


@pytest.mark.usefixtures("clean")
def test_code_that_waits_for_the_clock_is_a_stall_that_says_cpu() -> None:
    async def whole() -> None:
        end = time.perf_counter() + 0.2
        while time.perf_counter() < end:
            pass

    with pytest.raises(Stall, match=r"in whole: while time(.|\n)*Say cpu\(seconds\)"):
        virtual().run(whole)


class Holder:
    lock = threading.Lock()

    def __init__(self) -> None:
        self.own = threading.RLock()


HOLDER = Holder()


@pytest.mark.usefixtures("clean")
def test_locks_that_a_class_or_an_object_of_a_module_holds_are_virtual() -> None:
    def work() -> None:
        with Holder.lock:
            time.sleep(1)
        with HOLDER.own:
            time.sleep(1)

    def whole() -> float:
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return time.monotonic()

    before = Holder.lock, HOLDER.own
    assert virtual().call(whole) == 4.0
    assert before == (Holder.lock, HOLDER.own)


MADE_ONCE = asyncio.Lock()


def test_a_lock_of_asyncio_made_once_serves_each_run() -> None:
    async def hold() -> None:
        async with MADE_ONCE:
            await asyncio.sleep(1)

    async def whole() -> float:
        await asyncio.gather(hold(), hold())
        return time.monotonic()

    assert [virtual().run(whole) for _ in range(3)] == [2.0, 2.0, 2.0]
