# %% [markdown]
# # 07 · Blocking the loop
#
# **You need:** chapter 04 (the event loop) and 05 (an ASGI app). **You build:** what a framework does with a
# plain `def`, and a watchdog that finds the line. **Time:** 45 minutes.
#
# This morning the shop froze. No error, no load, and everybody waited. Most services on an event loop have
# such a morning, and nearly always for the same reason. You will see it, name the line, and repair it.

# %%
import asyncio
import inspect
import sqlite3
import sys
import threading
import time

from django.core.exceptions import SynchronousOnlyOperation
from django.utils.asyncio import async_unsafe
from fastapi import FastAPI

from asgi_lab import cpu, get, run
from asgi_lab.framework import calling
from asgi_lab.lesson import check, expect, explore_blocking, hint, predict
from asgi_lab.lesson.queueing import most_at_once
from asgi_lab.source import is_library, place

# %% [markdown]
# ## The morning
#
# Two pages. Both wait for half a second: one for another service, one for a database. (The two sleeps stand
# for them.)

# %%
shop = FastAPI()


@shop.get("/price")
async def price():
    await asyncio.sleep(0.5)
    return "price"


@shop.get("/report")
async def report():
    time.sleep(0.5)
    return "report"


# %% [markdown]
# Somebody asks for a price. A moment later somebody wants the report, and then two more ask for prices.

# %%
morning = [get("/price"), get("/report", at=0.1), get("/price", at=0.2), get("/price", at=0.3)]
guess = predict("The last one asks at 0.3 s, and a price takes 0.5 s. How long do they wait?",
                "0.5 s", "0.8 s", "1.5 s")  # fmt: skip
guess

# %%
trace = await run(shop, morning)
guess.reveal(f"{trace.results[3].seconds:g} s")

# %%
trace.timeline()

# %% [markdown]
# Solid: `/report` *holds the event loop*. The red band is the time in which nobody else could run. Three
# people paid for it:
#
# - #2 was ready at 0.5 s, and could not go on (the broken bar).
# - #4 and #5 came during the band. The server could not even let them in: their lanes are empty until it ends.

# %%
(stall,) = [box for box in trace.timeline().scene.boxes if box.role == "stall"]
assert (stall.end - stall.begin) / 1e9 == 0.5
[result.seconds for result in trace.results]

# %% [markdown]
# Twenty in a row, and it is plain why requests "run one after another". Each `/report` has to wait for all
# that came before it:

# %%
trace = await run(shop, 20 * [get("/report")])
trace.seconds, most_at_once(trace)

# %% [markdown]
# ## The line that did it
#
# Your log does not tell: each single request did what it had to do. The trace tells.

# %%
trace = await run(shop, morning)
trace.diagnose()

# %% [markdown]
# (On a real server: `asgi-lab trace main:app`. It says so while the server runs, and again at the end.)
#
# ## Why
#
# In chapter 04 a task ran until it *waited*, and what it waited for came up to the loop through all `await`s.
# `time.sleep` has no `await`: nothing comes up, and the loop waits with it. The word `async` before a `def`
# does not make anything wait in a better way. It only *allows* `await` inside.
#
# So these hold the loop, wherever an `async def` calls them, and however deep:
#
# | it blocks | instead |
# |---|---|
# | `time.sleep(1)` | `await asyncio.sleep(1)` |
# | `requests.get(url)` | `await client.get(url)` of `httpx.AsyncClient` |
# | `session.query(...)`, `cursor.execute(...)`: a sync ORM or driver | its async version, or a thread |
# | `open(...).read()` of something big, `subprocess.run` | a thread; `asyncio.create_subprocess_exec` |
# | two seconds of computing | another process |
#
# ## Delete one word
#
# Here is the same page without `async`.


# %%
@shop.get("/report-def")
def report_def():
    time.sleep(0.5)
    return "report"


# %%
guess = predict("The same morning, with /report-def. How long does the last one wait now?",
                "0.5 s", "0.8 s", "1.5 s")  # fmt: skip
guess

# %%
trace = await run(shop, get("/price"), get("/report-def", at=0.1), get("/price", at=0.3))
guess.reveal(f"{trace.results[2].seconds:g} s")

# %%
trace.timeline()

# %% [markdown]
# The half bar is a *worker thread*. FastAPI and Starlette look at your function. A coroutine function they
# await, in the loop. A plain `def` they give to a thread, and await *that*. The thread waits for the database;
# the loop does not. That is why `time.sleep` in a `def` does not freeze the server.

# %%
expect(trace).holds_the_loop(at_most=0.01).answers(200, b'"report"', which=1)
[event.data["call"] for event in trace if event.kind == "submit"]

# %% [markdown]
# ### Prove it
#
# Two things are often said, and both are false. *"`def` endpoints block the loop."* The cell above proves the
# opposite. And *"one worker handles one request at a time"*:

# %%
trace = await run(shop, 20 * [get("/price")])
expect(trace).overlaps(exactly=20).takes(0.5)
most_at_once(trace), trace.seconds

# %% [markdown]
# ## Build it: a function of either kind
#
# The framework's part is small. `asyncio.to_thread(f, x)` has a thread call `f(x)`, and waits for it with
# `await`.


# %%
async def call(function, *args):
    if inspect.iscoroutinefunction(function):
        return await function(*args)
    return await asyncio.to_thread(function, *args)


# %% [markdown]
# A small ASGI app around it, with both kinds of pages:


# %%
def old_page():
    time.sleep(0.5)
    return b"from a thread"


async def new_page():
    await asyncio.sleep(0.5)
    return b"from the loop"


# %%
async def pages(scope, receive, send):
    body = await call({"/old": old_page, "/new": new_page}[scope["path"]])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


# %%
trace = await run(pages, 3 * [get("/old")], 3 * [get("/new")])
expect(trace).holds_the_loop(at_most=0.01).takes(0.5)
[result.text for result in trace.results[2:4]]

# %% [markdown]
# The finished piece is no longer. It only looks closer at what can be awaited:

# %%
print(inspect.getsource(calling.call))

# %% [markdown]
# ## Your turn: fix the stall
#
# A page that asks a driver that blocks, *and* a service that awaits. `/report` needed one word less; here that
# is not enough. The task stands in `exercises/07_blocking_the_loop/1_stall.py`. Work there and run
# `asgi-lab check 07.1` in a terminal, or here:


# %%
def find_orders(customer):  # leave this as it is
    time.sleep(0.3)
    return {"ann": [1, 2], "ben": [3]}.get(customer, [])


async def ask_price(order):  # and this
    await asyncio.sleep(0.1)
    return 10 * order


# %%
async def total_that_stalls(customer):
    prices = [await ask_price(order) for order in find_orders(customer)]
    return sum(prices)


async def total(customer):
    raise NotImplementedError("your turn")


# %%
check("07.1", total)

# %%
print(hint("07.1", 1))

# %% [markdown]
# ## How many threads are there?
#
# A thread is not free, so there is a limit. FastAPI and Starlette get their threads from a library, anyio, and
# it lends 40 at a time. Now 41 people want the report:

# %%
guess = predict("41 calls of a `def` that takes 0.5 s. When is the last one done?",
                "0.5 s", "1 s", "20.5 s")  # fmt: skip
guess

# %%
trace = await run(shop, 41 * [get("/report-def")])
guess.reveal(f"{trace.seconds:g} s")

# %%
trace.timeline()

# %% [markdown]
# (So many do not fit on a page: a lane is two requests.) Look at the last lane: low means *queued*. The 41st
# waits until somebody gives a thread back.
#
# It would be the same with a page that needs no time at all, if only it is a `def`:


# %%
@shop.get("/health")
def health():
    return "fine"


# %%
trace = await run(shop, 40 * [get("/report-def")], get("/health", at=0.1))
assert trace.results[40].seconds == 0.4
trace.diagnose()

# %% [markdown]
# That is the second kind of frozen morning: the loop is free, and the threads are gone. Then the health check
# fails, and somebody restarts a server that only waits. What helps:
#
# - `async def` for what does not block. `/health` needs no thread.
# - Fewer seconds in a thread, or an async driver.
# - More threads: `anyio.to_thread.current_default_thread_limiter().total_tokens = 80`. Each holds a connection
#   to the database, so the next limit is there.

# %%
trace = await run(shop, 41 * [get("/report-def")], threads=80)
trace.seconds

# %% [markdown]
# ## Your turn: so many at a time
#
# Build that limit yourself. `limited(3)` returns a `call` as above, which lets three plain functions run at the
# same time. The fourth waits; and who needs no thread waits for none. (The same as
# `exercises/07_blocking_the_loop/2_limit.py`.)


# %%
def limited(limit):
    raise NotImplementedError("your turn")


# %%
check("07.2", limited)

# %%
print(hint("07.2", 1))

# %% [markdown]
# ## `async def` or `def`?
#
# Four ways to spend 20 ms. Fifty requests come at once:

# %%
ways = FastAPI()


@ways.get("/async-await")
async def async_await():
    await asyncio.sleep(0.02)


@ways.get("/async-block")
async def async_block():
    time.sleep(0.02)


# %%
@ways.get("/def-block")
def def_block():
    time.sleep(0.02)


@ways.get("/def-compute")
def def_compute():
    cpu(0.02)


# %%
for path in ("/async-await", "/def-block", "/async-block", "/def-compute"):
    trace = await run(ways, 50 * [get(path)])
    print(f"{path:13} {trace.seconds:5.2f} s for 50, {50 / trace.seconds:5.0f} a second")

# %% [markdown]
# *"Why is FastAPI fast, and mine slow?"* It is the same FastAPI four times. Benchmarks measure the first line.
# The third one is yours, if one line in it blocks.
#
# - You can await all that you wait for: `async def`.
# - Something in it blocks (a sync ORM, `requests`): plain `def`. Or `await asyncio.to_thread(...)` around it.
# - You do not know: plain `def`. It is never the one that freezes everybody.
# - It computes: neither helps. Threads of one interpreter take turns (chapter 03); use processes.
#
# Turn the knobs. When do more threads help, and when does it not matter how many there are?

# %%
explore_blocking()

# %% [markdown]
# ## Build it: a watchdog
#
# How does one find the line? First one has to notice. A loop that is free keeps appointments: who sleeps for
# 50 ms gets a turn after 50 ms. So let a task sleep, again and again, and note each time that it wakes.


# %%
async def pulse(beats):
    while True:
        beats.append(time.monotonic())
        await asyncio.sleep(0.05)


# %% [markdown]
# If a beat is overdue, something holds the loop. But *this task* cannot say what: it cannot run, either. A
# thread can. It looks at what the loop's thread is doing at that moment: its *stack*, from the innermost call
# outwards, until the first that is not a library's.


# %%
def innermost(thread):
    frame = sys._current_frames()[thread]
    while frame and is_library(frame.f_code.co_filename):
        frame = frame.f_back
    return place(frame, frame.f_lineno)


# %%
def watch(beats, thread, ended, found):
    while not ended.wait(0.03):
        if time.monotonic() - beats[-1] > 0.1:
            found.append(innermost(thread))


# %% [markdown]
# A page starts both, and lets them watch for a second:


# %%
@shop.get("/watch")
async def watch_page():
    beats, found, ended = [time.monotonic()], [], threading.Event()
    task = asyncio.create_task(pulse(beats))
    args = (beats, threading.get_ident(), ended, found)
    threading.Thread(target=watch, args=args).start()
    await asyncio.sleep(1)
    ended.set()
    task.cancel()
    return sorted(set(found))


# %%
trace = await run(shop, get("/watch"), get("/report", at=0.3), get("/report-def", at=0.3))
trace.results[0].text

# %% [markdown]
# There it is: a cell of this notebook, the line in it, the function. `/report-def` slept just as long, and is
# not accused.

# %%
assert trace.results[0].text.count("in report") == 1
assert "in report_def" not in trace.results[0].text

# %% [markdown]
# `asgi-lab trace` has such a watchdog, in `asgi_lab/watchdog.py`. It needs no pulse: the tracer knows since
# when which request has been at work, and says so in an event of the kind `block`:

# %%
block = next(event for event in trace if event.kind == "block")
block.data["call"], block.data["at"], block.took / 1e9

# %% [markdown]
# (asyncio has one, too: with `PYTHONASYNCIODEBUG=1` it logs steps that took longer than 100 ms. It says which
# task, and not which line held it.)
#
# ## How the real ones do it
#
# On Uvicorn, with real sockets and a real clock. First the shop:

# %%
real = await run(shop, get("/report"), get("/report-def"), get("/health"), server="uvicorn")
{(one.id, one.request, one.at) for one in real.diagnose() if "in report" in one.at}

# %% [markdown]
# Now a real database that blocks. SQLite is asked to count to three million, in an `async def`:

# %%
COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) "


@shop.get("/count")
async def count_in_the_loop():
    with sqlite3.connect(":memory:") as database:
        return database.execute(f"{COUNT} SELECT max(i) FROM n").fetchone()


# %%
real = await run(shop, get("/count"), get("/price"), server="uvicorn")
found = next(one for one in real.diagnose() if "in count_in_the_loop" in one.at)
found.id, found.at, real.results[0].json()

# %% [markdown]
# A sync ORM in an async route is this, only better hidden: the call that blocks is a few files away from you.
# Django does not let it come so far. It marks what talks to the database, and refuses it where a loop runs:


# %%
@async_unsafe
def query():
    return "rows"


# %%
try:
    query()
except SynchronousOnlyOperation as error:
    print(error)

# %% [markdown]
# And the limit of 40 is anyio's own, whoever asks:

# %%
from anyio.to_thread import current_default_thread_limiter

int(current_default_thread_limiter().total_tokens)

# %% [markdown]
# ## Recap
#
# - What blocks in an `async def` holds the loop, and everybody waits: those under way, and those not yet let in.
# - `async` does not make a call wait well. `await` of something that waits well does.
# - A plain `def` runs in a thread. That holds up nobody, as long as there are threads: 40, unless you say more.
# - A blocking call is found by a watchdog: a pulse that is late, and a look at the stack.
#
# **The finished piece:** `asgi_lab/framework/calling.py` (functions of both kinds), `asgi_lab/watchdog.py` (the
# line), `asgi_lab/diagnose/loop.py` (what is made of it). **To read on:** `asgi-lab explain LOOP-BLOCKED` and
# `asgi-lab explain THREADPOOL-FULL`; [running in threads][threads] in Python's documentation,
# [anyio's threads][anyio]; the specification says what an app is: [a coroutine callable][spec].
# **Next:** [08 · lifespan and background work](08_lifespan_and_background.ipynb).
#
# [threads]: https://docs.python.org/3/library/asyncio-task.html#running-in-threads
# [anyio]: https://anyio.readthedocs.io/en/stable/threads.html
# [spec]: https://asgi.readthedocs.io/en/latest/specs/main.html#applications
