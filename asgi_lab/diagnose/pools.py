"""Who waits for a worker thread."""

from collections import defaultdict
from collections.abc import Iterator

from asgi_lab.diagnose.diagnosis import WARNING, Diagnosis
from asgi_lab.diagnose.evidence import SHORTEST, Call, Evidence
from asgi_lab.diagnose.loop import called
from asgi_lab.events import Event
from asgi_lab.message import number
from asgi_lab.plain import clean, count, duration


def threadpool_full(evidence: Evidence) -> Iterator[Diagnosis]:
    """Find calls that waited for a thread while all threads of the pool were at work."""
    for pid in {call.pid for call in evidence.calls.values()}:
        for pool in ("anyio", "executor"):
            jobs = jobs_of(evidence, pid, pool)
            if jobs and (found := full(evidence, pid, pool, jobs)):
                yield found


class Job:
    """A call in a worker thread: when it was handed over, began, ended."""

    __slots__ = ("began", "call", "ended", "name", "submit")

    def __init__(self, call: Call, submit: Event) -> None:
        self.call, self.submit = call, submit
        self.name = clean(submit.data.get("call") or "a call").rpartition("<locals>.")[2]
        self.began: int | None = None
        self.ended: int | None = None


def jobs_of(evidence: Evidence, pid: int, pool: str) -> list[Job]:
    """Return what one pool of a process was given, in order."""
    jobs: dict[tuple[int, int], Job] = {}
    working: dict[tuple[int, int], Job] = {}
    for call in evidence.calls.values():
        if call.pid != pid:
            continue
        for event in call.at_any("submit", "work", "worked"):
            if event.kind == "submit" and event.data.get("pool") == pool:
                jobs[call.conn, event.t] = Job(call, event)
            elif event.kind == "work" and (job := jobs.get((call.conn, event.began or 0))):
                if number(event.data.get("thread")):
                    job.began = event.t
                    working[call.conn, event.t] = job
            elif event.kind == "worked" and (job := working.get((call.conn, event.began or 0))):
                job.ended = event.t
    return sorted(jobs.values(), key=lambda job: job.submit.t)


def full(evidence: Evidence, pid: int, pool: str, jobs: list[Job]) -> Diagnosis | None:
    """Return what a full pool cost, if it did."""
    last = evidence.last
    moves = sorted(
        [(job.began, 1) for job in jobs if job.began is not None]
        + [(job.ended, -1) for job in jobs if job.ended is not None]
    )
    busy = most = 0
    levels: list[tuple[int, int]] = []
    for t, step in moves:
        busy += step
        most = max(most, busy)
        levels.append((t, busy))
    waits: list[tuple[int, Job]] = []
    for job in jobs:
        begin, end = job.submit.t, job.began if job.began is not None else last
        waited = end - begin - evidence.held(pid, begin, end)
        full = filled(levels, begin, end, most) if waited >= SHORTEST else 0
        if full >= SHORTEST and full >= (end - begin) / 3:
            waits.append((end - begin, job))
    if most < 1 or not waits:
        return None
    return describe(pool, most, waits, jobs, last)


def filled(levels: list[tuple[int, int]], begin: int, end: int, most: int) -> int:
    """Return for how many nanoseconds from `begin` to `end` all threads were at work.

    Not all the time that a call waits: of a burst, the first calls are still starting their
    threads while the last ones queue, and where one has ended the loop must turn for the next.
    """
    full = before = level = 0
    for t, after in [*levels, (end, 0)]:
        if level >= most:
            full += max(min(t, end) - max(before, begin), 0)
        before, level = t, after
        if t >= end:
            break
    return full


def describe(
    pool: str, most: int, waits: list[tuple[int, Job]], jobs: list[Job], last: int
) -> Diagnosis:
    """Tell of calls that waited for a thread."""
    longest, job = max(waits, key=lambda wait: wait[0])
    taken = defaultdict(list)
    for one in jobs:
        if one.began is not None:
            taken[one.name].append((last if one.ended is None else one.ended) - one.began)
    name = max(taken, key=lambda key: sum(taken[key]), default=job.name)
    each = sum(taken[name]) // len(taken[name]) if taken[name] else 0
    text = (
        f"{most} of {most} worker threads were busy" if most > 1 else "The worker thread was busy"
    )
    text += f": {count(len(waits), 'sync call')} had to "
    text += f"wait, up to {duration(longest)} ({job.call.label}, {called(job.name)})"
    taken_by = "the threads were taken by" if most > 1 else "it was taken by"
    text += f"; {taken_by} {called(name)}, {duration(each)} each" if each else ""
    single = pool == "executor" and most == 1
    return Diagnosis(
        "THREADPOOL-FULL",
        WARNING,
        f"{text}.",
        ONE_THREAD if single else POOL,
        f"Make {called(name)} shorter, or `async def` with an async client if it waits; or "
        + wider(pool, most, name),
        tuple(dict.fromkeys([job.call.conn, *(one.call.conn for _, one in waits)])),
        (job.submit.seq,),
        request=job.call.request,
        count=len(waits),
    )


POOL = (
    "A plain `def` endpoint, a sync dependency, a file: each takes one thread of a pool of "
    "fixed size (anyio's has 40) for as long as it runs."
)
ONE_THREAD = (
    "asgiref's sync_to_async, and Channels' database_sync_to_async and sync consumers, run all "
    "calls of a process in one thread, one after another."
)
"""Where sync calls run."""


def wider(pool: str, most: int, name: str) -> str:
    """Say how a pool gets more threads."""
    if pool == "anyio":
        limiter = "anyio.to_thread.current_default_thread_limiter()"
        return f"raise the limit in your lifespan function: {limiter}.total_tokens = {2 * most}."
    if most == 1:
        return (
            f"`sync_to_async({name}, thread_sensitive=False)`, "
            "if it shares nothing between threads."
        )
    return (
        f"give the pool more threads where it is made: ThreadPoolExecutor({2 * most}); the loop's "
        "own is set by loop.set_default_executor(...)."
    )
