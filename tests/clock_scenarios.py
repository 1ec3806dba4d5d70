"""What is run in virtual time: each scenario with how long it takes, and the notes it must leave.

A scenario is called with `note(*facts)`. Its notes, with the time of each, are what must be equal
from run to run, over hash seeds, versions of Python and loads.
"""

import asyncio
import concurrent.futures
import queue
import threading
import time
from collections.abc import Callable
from time import sleep as plain_sleep
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread

from asgi_lab.clock import Virtual, cpu, virtual

Note = Callable[..., None]
Scenario = Callable[[Note], Any]
SCENARIOS: dict[str, tuple[Scenario, float]] = {}


def takes(seconds: float) -> Callable[[Scenario], Scenario]:
    """Register a scenario that takes so many virtual seconds."""

    def register(scenario: Scenario) -> Scenario:
        SCENARIOS[scenario.__name__] = (scenario, seconds)
        return scenario

    return register


def play(name: str, world: Virtual | None = None) -> tuple[int, list[tuple[Any, ...]]]:
    """Run a scenario; return its end in virtual ns, and its notes."""
    scenario, _ = SCENARIOS[name]
    notes: list[tuple[Any, ...]] = []
    began = 0

    def note(*facts: Any) -> None:
        notes.append((time.monotonic_ns() - began, *facts))

    def whole() -> int:
        nonlocal began
        began = time.monotonic_ns()
        scenario(note)
        return time.monotonic_ns() - began

    async def whole_async() -> int:
        nonlocal began
        began = time.monotonic_ns()
        await scenario(note)
        return time.monotonic_ns() - began

    world = world or virtual()
    if asyncio.iscoroutinefunction(scenario):
        return world.run(whole_async), notes
    return world.call(whole), notes


async def sleeper(note: Note, number: int, seconds: float = 1.0) -> None:
    await asyncio.sleep(seconds)
    note("woke", number)


@takes(1.0)
async def equal_sleeps(note: Note) -> None:
    await asyncio.gather(*(sleeper(note, i) for i in range(10)))


@takes(3.0)
async def blocking_sleeps(note: Note) -> None:
    async def block(i: int) -> None:
        time.sleep(1)
        note(i)

    await asyncio.gather(*(block(i) for i in range(3)))


@takes(2.0)
async def aliased_sleep(note: Note) -> None:
    plain_sleep(1)
    note("first")
    plain_sleep(1)


@takes(2.0)
async def to_thread(note: Note) -> None:
    async def one(i: int) -> None:
        await asyncio.to_thread(time.sleep, 1)
        note(i)

    await asyncio.gather(*(one(i) for i in range(16)))  # the pool has 8


@takes(3.0)
async def anyio_threads(note: Note) -> None:
    async def one(i: int) -> None:
        await anyio.to_thread.run_sync(time.sleep, 1)
        note(i)

    await asyncio.gather(*(one(i) for i in range(100)))  # anyio has 40


@takes(2.0)
async def from_thread(note: Note) -> None:
    def work(i: int) -> None:
        anyio.from_thread.run(anyio.sleep, 1)
        note("between", i)
        time.sleep(1)
        note("end", i)

    async with anyio.create_task_group() as group:
        for i in range(6):
            group.start_soon(anyio.to_thread.run_sync, work, i)


@takes(0.5)
async def time_out(note: Note) -> None:
    try:
        await asyncio.wait_for(asyncio.sleep(3), 0.5)
    except TimeoutError:
        note("too late")


@takes(2.0)
async def queue_of_tasks(note: Note) -> None:
    items: asyncio.Queue[int] = asyncio.Queue(2)

    async def produce() -> None:
        for i in range(6):
            await items.put(i)
            note("put", i)

    async def consume(number: int) -> None:
        while True:
            i = await items.get()
            await asyncio.sleep(1 if number else 0.5)
            note("got", i, number)
            items.task_done()

    consumers = [asyncio.create_task(consume(number)) for number in range(2)]
    await produce()
    await items.join()
    for consumer in consumers:
        consumer.cancel()


@takes(0.3)
async def cancelled_group(note: Note) -> None:
    async def wait(i: int) -> None:
        try:
            await asyncio.sleep(9)
        finally:
            note("cancelled", i)

    async def fail() -> None:
        await asyncio.sleep(0.3)
        raise ValueError

    try:
        async with asyncio.TaskGroup() as group:
            for i in range(50):
                group.create_task(wait(i))
            group.create_task(fail())
    except* ValueError:
        note("failed")


@takes(0.3)
async def cancelled_scopes(note: Note) -> None:
    """Fifty cancel scopes in one: cancelled in the order in which they were entered."""

    async def wait(i: int) -> None:
        with anyio.CancelScope():
            try:
                await anyio.sleep(9)
            finally:
                note("cancelled", i)

    with anyio.move_on_after(0.3):
        async with anyio.create_task_group() as group:
            for i in range(50):
                group.start_soon(wait, i)


@takes(4.0)
async def set_of_done(note: Note) -> None:
    async def one(i: int) -> int:
        await asyncio.sleep(i % 5)
        return i

    done, _ = await asyncio.wait([asyncio.create_task(one(i)) for i in range(40)])
    note(*(task.result() for task in done))


@takes(2.0)
async def abandoned_generators(note: Note) -> None:
    async def numbers(i: int) -> Any:
        try:
            while True:
                await asyncio.sleep(1)
                yield i
        finally:
            note("closed", i)

    kept = []

    async def use(i: int) -> None:
        generator = numbers(i)
        kept.append(generator)
        async for _ in generator:
            break

    await asyncio.gather(*(use(i) for i in range(20)))
    await asyncio.sleep(1)


@takes(1.75)
def primitives_of_threading(note: Note) -> None:
    lock, event = threading.Lock(), threading.Event()
    numbers: queue.Queue[int] = queue.Queue()

    def work(i: int) -> None:
        with lock:
            time.sleep(0.25)
            note("had the lock", i)
        event.wait()
        note("event", i)
        note("got", i, numbers.get(timeout=9))

    def produce(i: int) -> None:
        time.sleep(0.25)
        numbers.put(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    threads[0].join(0.1)
    assert threads[0].is_alive()
    time.sleep(0.4)
    assert not event.wait(0.25)
    time.sleep(0.5)
    event.set()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(produce, range(4)))
    for thread in threads:
        thread.join()
    timer = threading.Timer(0.0, note, ("timer",))
    timer.start()
    timer.join()


@takes(4.0)
def conditions_and_barriers(note: Note) -> None:
    barrier, condition = threading.Barrier(3), threading.Condition()
    slots, again = threading.Semaphore(2), threading.RLock()
    simple: queue.SimpleQueue[int] = queue.SimpleQueue()

    def work(i: int) -> None:
        time.sleep(i / 2)
        barrier.wait()
        note("past the barrier", i)
        with slots:
            time.sleep(1)
        with again, again:
            time.sleep(0.25)
        with condition:
            condition.notify_all()
        simple.put(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    with condition:
        condition.wait_for(lambda: simple.qsize() == 3, timeout=60)
        note([simple.get() for _ in range(simple.qsize())])
    for thread in threads:
        thread.join()
    time.sleep(4.0 - time.monotonic())


@takes(8.0)
def computing_threads(note: Note) -> None:
    def compute(i: int) -> None:
        cpu(2)
        note("done", i)

    threads = [threading.Thread(target=compute, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@takes(2.5)
async def computing_beside_the_loop(note: Note) -> None:
    """A thread that computes does not stop the loop, but slows what computes there."""
    work = asyncio.create_task(asyncio.to_thread(cpu, 1.5))
    await asyncio.sleep(0.5)
    note("the loop goes on")
    cpu(1.0)
    note("computed in the loop")
    await work


@takes(1.0)
async def polling(note: Note) -> None:
    """`sleep(0)` in a loop lets time pass all the same."""
    work = asyncio.get_running_loop().run_in_executor(None, time.sleep, 1)
    while not work.done():
        await asyncio.sleep(0)
    note("done")


OUTSIDE = concurrent.futures.ThreadPoolExecutor(4)
LOCK = threading.Lock()
RLOCK = threading.RLock()
EVENT = threading.Event()
QUEUE: queue.Queue[int] = queue.Queue()
SEMAPHORE = threading.Semaphore(2)


@takes(3.0)
async def pool_from_outside(note: Note) -> None:
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(loop.run_in_executor(OUTSIDE, time.sleep, 1) for _ in range(12)))
    note("done")


@takes(6.0)
def locks_from_outside(note: Note) -> None:
    def work(i: int) -> None:
        with LOCK:
            time.sleep(1)
        with RLOCK, RLOCK:
            time.sleep(1)
        with SEMAPHORE:
            time.sleep(1)
        QUEUE.put(i)
        if i == 2:
            EVENT.set()
        EVENT.wait()
        note("past all", i, QUEUE.get())

    EVENT.clear()
    threads = [threading.Thread(target=work, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time.sleep(6.0 - time.monotonic())


@takes(2.0)
def bridges_of_asgiref(note: Note) -> None:
    from asgiref.sync import async_to_sync, sync_to_async

    def inner() -> None:
        time.sleep(1)
        note("inner")

    async def middle() -> None:
        await sync_to_async(inner, thread_sensitive=False)()
        await asyncio.sleep(1)
        note("middle")

    async_to_sync(middle)()


@takes(4.0)
async def one_thread_of_asgiref(note: Note) -> None:
    from asgiref.sync import sync_to_async

    await asyncio.gather(*(sync_to_async(time.sleep)(1) for _ in range(4)))
    note("one after another")


@takes(1.04)
async def streams(note: Note) -> None:
    """Ten clients of a server in memory; with 10 ms of latency each way (see LATENCY)."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = await reader.readline()
        note("asked", name)
        await asyncio.sleep(1)
        writer.write(b"hello " + name)
        await writer.drain()
        writer.close()

    async def ask(i: int) -> None:
        reader, writer = await asyncio.open_connection("lab", 80)
        writer.write(f"{i}\n".encode())
        note("answer", await reader.read())
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "lab", 80):
        await asyncio.gather(*(ask(i) for i in range(10)))
    await asyncio.sleep(0.01)


WORLDS = {"streams": virtual(latency=0.01)}
