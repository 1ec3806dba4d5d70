# %% [markdown]
# # 04 · The event loop
#
# **You need:** chapter 03 (a worker that waits serves nobody else). **You build:** an event loop, in forty
# lines. **Time:** 45 minutes.
#
# In chapter 03, a worker stood in your function and waited for the database, and everybody else waited for
# the worker. What if a function could *stop in the middle*, hand the worker back, and go on later? Python has
# such functions. They are all there is behind `async` and `await`.

# %%
import asyncio
import inspect
import time
from collections import deque

from asgi_lab import cpu
from asgi_lab.clock import virtual
from asgi_lab.lesson import check, hint, predict, tiny_loop
from asgi_lab.lesson.turns import READY, RUNNING, WAITING, on_asyncio, turns

# %% [markdown]
# ## A function that stops in the middle
#
# A function with `yield` in it is a *generator*. Calling it runs nothing yet. `send(None)` lets it run until
# its next `yield`; there it stops, and remembers where it was.


# %%
def visit(name):
    print(name, "asks")
    yield
    print(name, "gets the answer")


# %%
ann, ben = visit("Ann"), visit("Ben")
ann.send(None)
ben.send(None)

# %% [markdown]
# Both have asked, and neither has the answer. Two functions are under way, in one thread. Who goes on next is
# up to us. When a generator comes to its end, `send` raises `StopIteration`:

# %%
for task in (ann, ben):
    try:
        task.send(None)
    except StopIteration:
        print("  (the end)")

# %% [markdown]
# ## Taking turns
#
# Let us write that down for any number of tasks. Who can go on stands in a line, the *ready queue*. Take the
# first, give it a turn, and put it at the end of the line:


# %%
def take_turns(*tasks):
    ready = deque(tasks)
    while ready:
        task = ready.popleft()
        try:
            task.send(None)
        except StopIteration:
            continue
        ready.append(task)


# %% [markdown]
# That is an event loop already. These tasks compute for 0.2 s in each turn (`cpu(0.2)`), and give way with
# `yield`:


# %%
def talk(times):
    for _ in range(times):
        cpu(0.2)
        yield


# %%
guess = predict("In which order do they have turns?", "a a b b b", "a b a b b", "b b b a a")
guess

# %% [markdown]
# `turns` runs a loop in virtual time, and notes who has a turn when. (`talk(2)` computes in two turns.
# In a last turn each of them just ends.)

# %%
watched = turns(take_turns, a=talk(2), b=talk(3))
guess.reveal(" ".join(each.task for each in watched.stretches(RUNNING) if each.end > each.begin))

# %%
watched

# %% [markdown]
# Solid: the task runs. Dotted: it is ready, and waits for its turn. Look from top to bottom at any moment:
# *one* task is solid, never two.

# %%
assert watched.at_once(RUNNING) == 1

# %% [markdown]
# ## Waiting for a time
#
# Our tasks want to wait, too: for a database, for a second. So let `yield` say for what: `yield` alone means
# "another turn, please", `yield 1` means "wake me in a second". Now what does the loop do with that wish? The
# first idea is to sleep:


# %%
def sleepy(*tasks):
    ready = deque(tasks)
    while ready:
        task = ready.popleft()
        try:
            wish = task.send(None)
        except StopIteration:
            continue
        if wish is not None:
            time.sleep(wish)
        ready.append(task)


# %%
def query():
    yield 1


# %%
guess = predict("Three queries of one second on this loop. How long for all?", "1 s", "3 s")
guess

# %%
watched = turns(sleepy, q1=query(), q2=query(), q3=query())
guess.reveal(f"{watched.seconds:g} s")

# %%
watched

# %%
assert watched.idle()  # at some time somebody was ready, and nobody ran

# %% [markdown]
# The staircase of chapter 03. (A thin line is a task that waits for its time.) The *loop* slept, and the dotted ones
# were ready all the time. A loop must not sleep while somebody is ready: it should only note *when* the task is due,
# and give the next one a turn. Notes of that kind are called *timers*.
#
# ## Your turn: a loop with timers
#
# Two places where a task can be: in the ready queue, or on a timer. Before each turn, whose time has come
# moves from one to the other. (Edit the cell, or `exercises/04_event_loop/1_turns.py` and run
# `asgi-lab check 04.1` in a terminal.)


# %%
def my_loop(*tasks):
    raise NotImplementedError("your turn")


# %%
check("04.1", my_loop)

# %%
print(hint("04.1", 1))

# %% [markdown]
# ## The finished loop
#
# It is in `asgi_lab/lesson/tiny_loop.py`. Two of its methods say it all. `turn` lets one task run, and sees
# what it wants:

# %%
print(inspect.getsource(tiny_loop.Loop.turn))

# %% [markdown]
# `wake` moves whose time has come to the ready queue. Only if nobody is ready, it sleeps, and only until the
# first timer:

# %%
print(inspect.getsource(tiny_loop.Loop.wake))

# %% [markdown]
# Three places where a task can be, three kinds of line: it runs, it is ready, it is on a timer. Here tasks do some of
# each: in every turn they compute, then they wait.


# %%
def work(seconds, *wishes):
    for wish in wishes:
        cpu(seconds)
        yield wish


# %%
watched = turns(
    tiny_loop.run, ann=work(0.2, 0.5, 0.4), ben=work(0.2, 0.3, 0.4), cleo=work(0.6, 0.1)
)
watched

# %% [markdown]
# At 0.7 s Ann and Ben are due, and Cleo is in the middle of a turn. They are ready, and dotted, until she waits
# for something herself, at 1 s. *Nobody can interrupt her.* A loop gives turns; it never takes one away.

# %%
assert watched.at_once(RUNNING) == 1
assert watched.idle() is None  # the loop never sleeps while somebody is ready
assert watched.at_once(WAITING) == 2

# %% [markdown]
# ## `async def` and `await`
#
# Now the last step. A real page calls a function, which calls a function, which asks the database. The one
# at the bottom has to wait. With generators, each function on the way would have to pass the wish on. `await` does
# that for you.
#
# | | generator | coroutine |
# |---|---|---|
# | you write | `def` with `yield` | `async def` with `await` |
# | calling it | runs nothing yet | runs nothing yet |
# | a turn | `send(None)` | `send(None)` |
# | the end | `StopIteration` | `StopIteration`, with the result in it |
#
# At the very bottom there is still a `yield`. It stands in a method named `__await__`:


# %%
class Sleep:
    def __init__(self, seconds):
        self.seconds = seconds

    def __await__(self):
        yield self.seconds


# %%
async def database(sql):
    await Sleep(1)
    return ["Ann", "Ben"]


async def page():
    patients = await database("select name from patients")
    return f"{len(patients)} patients"


# %% [markdown]
# Three levels: `page` awaits `database`, which awaits `Sleep`. Let us be the loop, by hand:

# %%
guess = predict("What does page().send(None) return?", "'2 patients'", "['Ann', 'Ben']", "1")
guess

# %%
coroutine = page()
wish = coroutine.send(None)
guess.reveal(repr(wish))

# %% [markdown]
# The number from the bottom has come up through all levels, straight to whoever called `send`. `page` now
# stands still in its line with `await`, `database` in its own. When the second is over, the loop gives the next
# turn, and everything goes on where it was:

# %%
try:
    coroutine.send(None)
except StopIteration as end:
    print(end.value)

# %% [markdown]
# So read `await f()` like this: *call `f` and go on with its result, as always. But if something in there has to
# wait, leave my function standing here, and let the loop serve others meanwhile.* If you come from Flask: your view
# still reads from top to bottom. It only has places now where the worker may leave, and come back.
#
# Our loop runs coroutines without a change, for it never knew more than `send`:

# %%
virtual().call(lambda: tiny_loop.run(page(), page()))

# %% [markdown]
# ## Ten queries at once


# %%
async def ask(sleep, seconds=1):
    await sleep(seconds)
    return "rows"


# %%
guess = predict("Ten queries of one second each, on one loop. How long?", "1 s", "5 s", "10 s")
guess

# %%
watched = turns(tiny_loop.run, **{f"query {n}": ask(tiny_loop.sleep) for n in range(1, 11)})
guess.reveal(f"{watched.seconds:g} s")

# %%
watched

# %% [markdown]
# One thread, and all ten wait at the same time. Waiting costs a place in a heap, and no worker. That is the
# whole trick.

# %%
assert watched.at_once(WAITING) == 10
assert watched.result == 10 * ["rows"]

# %% [markdown]
# ## Concurrency is not parallelism
#
# Now ten tasks that do not wait: each computes for a second.


# %%
async def compute():
    cpu(1)
    return "numbers"


# %%
guess = predict("Ten tasks that compute for a second. How long?", "1 s", "10 s")
guess

# %%
watched = turns(tiny_loop.run, **{f"task {n}": compute() for n in range(1, 11)})
guess.reveal(f"{watched.seconds:g} s")

# %%
watched

# %%
assert watched.at_once(RUNNING) == 1
assert watched.at_once(READY) == 9

# %% [markdown]
# *Concurrent*: ten are under way. *Parallel*: ten run at the same moment. An event loop makes the first, and never
# the second. It is one cook with ten pots: all pots boil at once, but only one is stirred.
#
# | | waits | computes |
# |---|---|---|
# | 10 tasks on one loop | 1 s | 10 s |
# | 10 threads in one process | 1 s | 10 s |
# | 10 processes on 10 cores | 1 s | 1 s |
#
# (The last two lines are those of chapter 03, with ten instead of four.)
#
# ## `await` alone lets nobody in
#
# A common mistake: to think that each `await` gives others a turn. `compute` is awaited here, and there is no
# `yield` at the bottom of it. So nothing comes up, and the loop never gets the worker back:


# %%
async def report():
    for _ in range(3):
        await compute()


# %%
watched = turns(tiny_loop.run, report=report(), ping=ask(tiny_loop.sleep, 0.1))
watched

# %% [markdown]
# `ping` has its first turn after three seconds. `time.sleep` in an `async def` does the same harm: it says nothing
# to the loop. How to find and cure this in a real app is chapter 07.

# %%
assert watched.times("ping")[0] == 3

# %% [markdown]
# ## How the real one does it: asyncio
#
# The same `ask`, with `asyncio.sleep` at the bottom, on asyncio's own loop. (`turns` still keeps the time, so it is
# virtual.) This is how the tasks get there: `asyncio.run` makes a loop and runs one coroutine on it, and
# `asyncio.gather` begins many, and waits for all results.

# %%
print(inspect.getsource(on_asyncio))


# %%
async def rows(seconds):
    cpu(0.1)
    return await ask(asyncio.sleep, seconds)


# %%
real = turns(on_asyncio, a=rows(1), b=rows(0.5), c=rows(1))
real

# %% [markdown]
# Could that be our loop? The same on ours, with `tiny_loop.sleep` at the bottom:


# %%
async def tiny_rows(seconds):
    cpu(0.1)
    return await ask(tiny_loop.sleep, seconds)


ours = turns(tiny_loop.run, a=tiny_rows(1), b=tiny_rows(0.5), c=tiny_rows(1))
assert ours.stretches(RUNNING) == real.stretches(RUNNING)
assert ours.result == real.result
ours.order

# %% [markdown]
# Turn for turn the same. asyncio's loop has the same two things inside. This notebook runs on one, so you can look:

# %%
loop = asyncio.get_running_loop()
print("ready queue:", type(loop._ready).__name__)
print("timers, a heap in a:", type(loop._scheduled).__name__)

# %% [markdown]
# One thing is different. Where ours sleeps, asyncio asks the operating system: *wake me at the first timer, or
# when one of these connections has something for me.* So a task can wait for a socket as for a timer. That is how one
# loop serves a thousand clients.
#
# And in real time, in this very notebook (`await` in a cell gives the coroutine to the notebook's own loop). They
# begin in the order slow, middle, quick. Who is first to come?


# %%
async def customer(name, seconds, came):
    await asyncio.sleep(seconds)
    came.append(name)


# %%
came = []
slow, middle, quick = (
    customer(*each, came) for each in (("slow", 0.6), ("middle", 0.4), ("quick", 0.2))
)
await asyncio.gather(slow, middle, quick)
came

# %% [markdown]
# ## Your turn: all at once, but not for ever
#
# Now with real asyncio. A page asks several services at the same time, and has two seconds. Who is late has no
# answer, and is cancelled. (Or edit `exercises/04_event_loop/2_within.py`.)


# %%
async def ask_all(questions, within):
    raise NotImplementedError("your turn")


# %%
check("04.2", ask_all)

# %%
print(hint("04.2", 1))

# %% [markdown]
# ## Workers, threads or async?
#
# Chapter 03 asked; here is the rest of the answer. An event loop is one worker that never waits. It is the better
# choice where much is waited for, by many at once: a waiting task is a small object on a heap, a waiting thread is a
# whole thread. It is no better where things are computed, and worse where one forgets to give way: then *everybody*
# waits, not only the line behind one worker.
#
# ## Recap
#
# - A coroutine stops at `await`, remembers where, and goes on from there.
# - What it waits for comes up through all `await`s to the loop. If nothing waits at the bottom, nothing comes up.
# - A loop is a ready queue, timers, and one turn at a time. It sleeps only when nobody is ready.
# - Concurrent is not parallel: many wait, one runs.
# - Calling a coroutine function runs nothing. `await` it, or give it to the loop as a task.
#
# **The finished piece:** `asgi_lab/lesson/tiny_loop.py`. The virtual time of this lab is an event loop of the same
# kind: `asgi_lab/clock/loop.py`. **To read on:** [coroutines and tasks][tasks] and [the event loop][loop] in Python's
# documentation, [PEP 492][pep] for `async` and `await`.
# **Next:** [05 · scope, receive, send](05_scope_receive_send.ipynb): what a web server and a coroutine say to each
# other.
#
# [tasks]: https://docs.python.org/3/library/asyncio-task.html
# [loop]: https://docs.python.org/3/library/asyncio-eventloop.html
# [pep]: https://peps.python.org/pep-0492/
