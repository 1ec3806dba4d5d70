"""The recorder: bounded, exact about what it dropped, and safe to use from any thread."""

import os
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_lab.recorder import BATCH, COLD, KINDS, Recorder
from asgi_lab.ticker import Ticker


def fill(recorder: Recorder, count: int, start: int = 0) -> None:
    for n in range(start, start + count):
        recorder.append((recorder.origin + n, "mark", 0, 0, str(n)))


def labels(records: list[Any]) -> list[int]:
    return [int(record[4]) for record in records]


@given(
    st.integers(1, 50),
    st.lists(st.one_of(st.integers(0, 30), st.just("drain"), st.just("compress")), max_size=20),
)
def test_readers_see_every_record_once_and_in_order(limit: int, steps: list[Any]) -> None:
    """Whatever the order of appends, drains, compressions and reads."""
    recorder = Recorder(limit=limit)
    seen: list[int] = []
    position = lost = count = 0
    for step in steps:
        if step == "drain":
            recorder.drain()
        elif step == "compress":
            recorder.compress()
        else:
            fill(recorder, step, count)
            count += step
        first, records = recorder.read(position)
        lost += first - position
        assert labels(records) == list(range(first, count))
        seen += labels(records)
        position = first + len(records)
    assert len(seen) + lost == count == recorder.total
    assert seen == sorted(set(seen))
    assert recorder.dropped == max(0, count - limit)
    assert len(recorder.read()[1]) == min(count, limit)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 10))
def test_reading_in_pieces_is_reading(count: int, position: int, most: int) -> None:
    recorder = Recorder()
    fill(recorder, count // 2)
    recorder.drain()
    fill(recorder, count - count // 2, count // 2)
    first, records = recorder.read(position, most)
    assert first == position
    assert labels(records) == list(range(count))[position : position + most]


def test_old_segments_are_compressed_and_read_the_same() -> None:
    recorder = Recorder()
    for start in range(0, 3 * COLD, BATCH):
        fill(recorder, BATCH, start)
        recorder.drain()
    before = recorder.read()
    recorder.compress()
    assert recorder.read() == before
    assert labels(before[1]) == list(range(3 * COLD))


def test_memory_does_not_grow_beyond_the_limit() -> None:
    recorder = Recorder(limit=1000)
    sizes = []
    for start in range(0, 20 * COLD, BATCH):
        fill(recorder, BATCH, start)
        recorder.drain()
        sizes.append(len(recorder._segments))
    assert max(sizes) <= 1000 // BATCH + 2
    assert recorder.dropped == recorder.total - 1000


def test_any_number_of_threads_may_append_while_one_drains_and_one_reads() -> None:
    recorder = Recorder()
    threads, each = 8, 2000
    stop = threading.Event()
    read: list[int] = []

    def append(n: int) -> None:
        fill(recorder, each, n * each)

    def drain() -> None:
        while not stop.is_set():
            recorder.drain()
            recorder.compress()

    def follow() -> None:
        position = 0
        while position < threads * each:
            first, records = recorder.read(position)
            assert first == position
            read.extend(labels(records))
            position = first + len(records)

    writers = [threading.Thread(target=append, args=(n,)) for n in range(threads)]
    others = [threading.Thread(target=drain), threading.Thread(target=follow)]
    for thread in writers + others:
        thread.start()
    for thread in [*writers, others[1]]:
        thread.join()
    stop.set()
    others[0].join()
    assert sorted(read) == list(range(threads * each))
    for n in range(threads):  # in each thread's own order
        mine = [label for label in read if label // each == n]
        assert mine == sorted(mine)


def test_what_cannot_be_kept_is_described() -> None:
    recorder = Recorder()
    recorder.append((1, "mark", 0, 0, object()))
    fill(recorder, 2)
    recorder.drain()
    assert [record[4] for record in recorder.read()[1]] == ["<object>", "0", "1"]


def test_a_forked_child_begins_its_own_log() -> None:
    if not hasattr(os, "fork"):
        pytest.skip("no fork on this system")
    recorder = Recorder()
    fill(recorder, 10)
    recorder.drain()
    fill(recorder, 5, 10)
    recorder._lock.acquire()  # another thread of the parent was at it
    out, into = os.pipe()
    child = os.fork()
    if not child:
        fill(recorder, 3)
        recorder.drain()
        os.write(into, str((recorder.total, labels(recorder.read()[1]))).encode())
        os._exit(0)
    recorder._lock.release()
    os.close(into)
    with os.fdopen(out) as said:
        assert said.read() == "(3, [0, 1, 2])"
    assert os.waitpid(child, 0)[1] == 0
    assert labels(recorder.read()[1]) == list(range(15))


def test_a_trace_may_begin_at_another_time() -> None:
    recorder = Recorder(clock=iter([1000]).__next__)
    started = recorder.started
    recorder.begin_at(400)
    assert (recorder.origin, recorder.started) == (400, started - 600)


def test_every_kind_is_explained() -> None:
    assert all(text[0].islower() and not text.endswith(".") for text in KINDS.values())


# --- the ticker ----------------------------------------------------------------------------------


class Keeps:
    def __init__(self) -> None:
        self.got: list[tuple[int, list[Any]]] = []
        self.closed = 0

    def write(self, first: int, records: list[Any]) -> None:
        self.got.append((first, records))

    def close(self) -> None:
        self.closed += 1


def test_followers_get_everything_once() -> None:
    recorder, follower = Recorder(), Keeps()
    ticker = Ticker(recorder)
    fill(recorder, 10)
    ticker.follow(follower)
    ticker.tick()
    fill(recorder, 3 * COLD, 10)
    ticker.tick()
    ticker.stop()
    assert [label for _, records in follower.got for label in labels(records)] == list(
        range(10 + 3 * COLD)
    )
    assert follower.closed == 1
    assert max(len(records) for _, records in follower.got) <= COLD
    assert len(recorder.ring) < BATCH


def test_a_follower_that_fails_is_dropped_with_one_warning() -> None:
    class Fails(Keeps):
        def write(self, first: int, records: list[Any]) -> None:
            raise RuntimeError("the screen is gone")

    said: list[str] = []
    recorder, works = Recorder(), Keeps()
    ticker = Ticker(recorder, said.append)
    fails = Fails()
    ticker.follow(fails)
    ticker.follow(works)
    for start in (0, 5):
        fill(recorder, 5, start)
        ticker.tick()
    ticker.stop()
    assert said == ["the screen is gone; tracing goes on in memory"]
    assert fails.closed == 1
    assert [first for first, _ in works.got] == [0, 5]
