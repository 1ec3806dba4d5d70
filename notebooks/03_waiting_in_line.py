# %% [markdown]
# # 03 · Waiting in line: WSGI blocks
#
# **You need:** chapter 02 (a WSGI app is called once per request). **You build:** a server with a pool
# of workers. **Time:** 45 minutes.
#
# Your Flask or Django app is one function that a server calls (chapter 02). While it runs, it has a
# *worker* for itself: a thread, or a process. This chapter is about what happens when more requests
# come than there are workers.

# %%
import asyncio
import inspect
import threading
import time
from math import ceil

from fastapi import FastAPI
from flask import Flask

from asgi_lab import compare, cpu, get, run, user
from asgi_lab.lesson import check, expect, explore, hint, predict
from asgi_lab.lesson.pools import run_on
from asgi_lab.lesson.queueing import by_worker, in_line, most_at_once
from asgi_lab.lesson.reports import APPS
from asgi_lab.wsgi_server import sync
from asgi_lab.wsgi_server.gateway import answer

# %% [markdown]
# ## Four people, one worker
#
# A clinic has a page with a report. The database needs one second for it. (`time.sleep` stands for the
# database: your program waits, and does nothing.)

# %%
clinic = Flask("clinic")


@clinic.get("/report")
def report():
    time.sleep(1)
    return "report"


# %% [markdown]
# Four people open the page at the same moment.

# %%
guess = predict("One worker. When does the last of the four have the report?", "1 s", "2 s", "4 s")
guess

# %%
trace = await run(clinic, 4 * [get("/report")])
guess.reveal(f"{trace.seconds:g} s")

# %% [markdown]
# `run` serves the app and plays the clients, in *virtual time*: the four seconds are simulated, and are
# over at once. They are the same on every machine.

# %%
in_line(trace)

# %% [markdown]
# A staircase. Solid: the request has the worker. Dotted: it waits in line, and no line of your code has
# run for it yet.
#
# That is why nobody finds it in the log. These are the seconds that the app sees, and those that the
# people see:

# %%
in_the_app = [event.took / 1e9 for event in trace if event.kind == "return"]
at_the_client = [result.seconds for result in trace.results]
print("in the app    ", in_the_app)
print("at the client ", at_the_client)

# %%
expect(trace).overlaps(exactly=1).takes(4)
assert [result.seconds for result in trace.results] == [1, 2, 3, 4]

# %% [markdown]
# ## What the worker does
#
# A worker is a loop of two lines. `accept()` waits for the next request in line. `answer(app, request)`
# is the server of chapter 02: it calls the app, and sends what the app returns. (`accept()` gives None
# when the server is to stop.)


# %%
def one_worker(accept, app):
    while (request := accept()) is not None:
        answer(app, request)


# %% [markdown]
# `run_on` runs an app on a server of your own:

# %%
trace = await run_on(one_worker, clinic, 4 * [get("/report")])
expect(trace).overlaps(exactly=1).takes(4)
trace.seconds

# %% [markdown]
# There is the reason for the staircase: `answer` has to return before `accept` is called again. WSGI says
# that an app is a function that *returns* the response. So for one whole request, one worker is gone. We
# say: the call *blocks*.
#
# The finished piece, in the server that comes with this lab, is the same:

# %%
print(inspect.getsource(sync.serve))

# %% [markdown]
# ## A thread for each request
#
# The first idea that comes to mind: let each request have a thread. A thread runs beside the others, and
# while one waits, others go on.


# %%
def thread_each(accept, app):
    while (request := accept()) is not None:
        threading.Thread(target=answer, args=(app, request)).start()


# %%
trace = await run_on(thread_each, clinic, 4 * [get("/report")])
trace.seconds

# %% [markdown]
# One second for all. Problem solved?

# %%
guess = predict("500 people come. How many threads are there at once?", "4", "40", "500")
guess

# %%
trace = await run_on(thread_each, clinic, 500 * [get("/report")])
guess.reveal(f"{most_at_once(trace)}")

# %% [markdown]
# Whoever asks gets a thread, and often a connection to the database with it. A PostgreSQL that nobody has
# configured allows 100 connections. So servers set a limit: a *pool* of workers. Who comes when all are
# busy waits in line.
#
# ## Your turn: a pool
#
# `serve(accept, app, workers)` starts so many threads, and each of them is a worker as above. Edit the
# cell, run it, and run the check below. (Or edit `exercises/03_waiting_in_line/1_pool.py` and run
# `asgi-lab check 03.1` in a terminal.)


# %%
def serve(accept, app, workers):
    raise NotImplementedError("your turn")


# %%
check("03.1", serve)

# %%
print(hint("03.1", 1))

# %% [markdown]
# ## The pool at work
#
# The lab's own server has the pool built in: `workers=3`. Here each lane is a worker, and the numbers are
# the requests.

# %%
guess = predict("Eight reports, three workers. When is the last one done?", "2 s", "3 s", "8 s")
guess

# %%
trace = await run(clinic, 8 * [get("/report")], workers=3)
guess.reveal(f"{trace.seconds:g} s")

# %%
by_worker(trace)

# %% [markdown]
# Three rounds: 3 + 3 + 2. The rule is *requests divided by workers, rounded up*, times the length of one
# request. Worker 3 has nothing to do in the last round.

# %%
for requests, workers in ((8, 3), (7, 3), (20, 4), (20, 20)):
    trace = await run(clinic, requests * [get("/report")], workers=workers)
    expect(trace).overlaps(exactly=workers).takes(ceil(requests / workers))
    print(f"{requests:2} requests, {workers:2} workers: {trace.seconds:g} s")

# %% [markdown]
# Now turn the knobs yourself. When does one more worker help, and when does it change nothing?


# %%
async def experiment(workers=3, requests=8):
    return in_line(await run(clinic, requests * [get("/report")], workers=workers))


explore(experiment, workers=(1, 12), requests=(1, 24))

# %% [markdown]
# ## Your turn: size the pool
#
# How many workers are enough, if everyone is to have the report in time? The check runs a pool of the
# size that you say, and one that is smaller by one.


# %%
def workers_for(requests, seconds, within):
    raise NotImplementedError("your turn")


# %%
check("03.2", workers_for)

# %%
print(hint("03.2", 1))

# %% [markdown]
# ## Threads or processes?
#
# A worker can be a thread of one process, or a process of its own. For an app that waits they do the same.
# But some pages do not wait: they compute. `cpu(1)` computes for one second.


# %%
office = Flask("office")


@office.get("/statistics")
def statistics():
    cpu(1)
    return "numbers"


# %%
guess = predict("Four threads, four times /statistics. When is the last one done?", "1 s", "4 s")
guess

# %%
trace = await run(office, 4 * [get("/statistics")], threads=4)
guess.reveal(f"{trace.seconds:g} s")

# %% [markdown]
# Four threads, and no faster than one. In one process of the usual Python, only one thread at a time runs
# Python code: the one that holds the *global interpreter lock*. A thread that waits gives the lock away; a
# thread that computes needs it.
#
# In this lab's `run`, `threads` are threads of one process, and `workers` are processes. (In Gunicorn, too:
# `--threads` and `--workers`.)

# %%
pools = {"1 worker": {}, "4 threads": {"threads": 4}, "4 processes": {"workers": 4}}
print(f"{'':12}", *(f"{name:>12}" for name in pools))
for app, path in ((clinic, "/report"), (office, "/statistics")):
    took = [(await run(app, 4 * [get(path)], **pool)).seconds for pool in pools.values()]
    print(f"{path:12}", *(f"{seconds:>10g} s" for seconds in took))

# %% [markdown]
# - It waits (database, other services): threads help, and cost less memory than processes.
# - It computes: only processes help, and only as many as the machine has cores.
#
# ## How many requests can one worker hold?
#
# As many as it has threads. That a worker holds one request at a time is true of one kind of worker: the
# one with a single thread.

# %%
for threads in (1, 8):
    trace = await run(clinic, 20 * [get("/report")], threads=threads)
    print(f"threads={threads}: {most_at_once(trace)} at once, at most")
    assert most_at_once(trace) == threads

# %% [markdown]
# ## "Why do my requests run one after another?"
#
# Because all workers are busy, as above. Or because of your browser.
#
# Open the same URL in two tabs, and Chromium sends the second request only when the first is answered: that
# answer might do for both. For the server, such a browser is one user who asks again and again. Here are
# three such tabs, on a server that has eight threads:

# %%
browser = user(*(3 * [get("/report")]))
trace = await run(clinic, browser, threads=8)
expect(trace).overlaps(exactly=1).takes(3)
in_line(trace)

# %% [markdown]
# One after another, and *nothing is dotted*: nobody waits in line. The requests come late. That is how you
# tell the two apart. With three URLs that differ, they come together:

# %%
tabs = [get("/report?tab=1"), get("/report?tab=2"), get("/report?tab=3")]
trace = await run(clinic, tabs, threads=8)
in_line(trace)

# %%
expect(trace).overlaps(exactly=3).takes(1)
trace.seconds

# %% [markdown]
# So when you try out a server by hand, let the URLs differ (`?1`, `?2`), or use another client.
#
# ## How the real ones do it
#
# Three frameworks, one page each, the same `time.sleep(1)`. First in virtual time, on two workers:

# %%
for name, app in APPS.items():
    trace = await run(app, 4 * [get("/report")], workers=2)
    print(f"{name:7} {trace.seconds:g} s, {most_at_once(trace)} at once")

# %% [markdown]
# Now in real time: Gunicorn, with two worker processes and real sockets. (We print whole seconds, for real
# times differ a little each time. The rest of this takes a while: processes have to start.)

# %%
for name in APPS:
    target = f"asgi_lab.lesson.reports:{name.lower()}_app"
    trace = await run(target, 4 * [get("/report")], server="gunicorn", workers=2)
    print(f"{name:7} {int(trace.seconds)} s, {most_at_once(trace)} at once, on Gunicorn")

# %% [markdown]
# The framework makes no difference: who waits is decided by the server. If you say nothing, Gunicorn starts
# one worker with one thread.

# %%
trace = await run("asgi_lab.lesson.reports:flask_app", 2 * [get("/report")], server="gunicorn")
print(f"{int(trace.seconds)} s, {most_at_once(trace)} at once, on Gunicorn as it comes")

# %% [markdown]
# And the lab's own WSGI server, on real sockets, with two threads:

# %%
trace = await run(APPS["Flask"], 4 * [get("/report")], server="lab", threads=2)
print(f"{int(trace.seconds)} s, {most_at_once(trace)} at once, on {trace.header['server']}")

# %% [markdown]
# | | who serves, unless told otherwise | so at once |
# |---|---|---|
# | `gunicorn app:app` | 1 process, 1 thread | 1 |
# | `gunicorn --workers 4 --threads 2 app:app` | 4 processes of 2 threads | 8 |
# | `flask run`, `manage.py runserver` | a thread for each request | no limit |
#
# The last line is why a page can be quick on your own machine, and stand in line in production.
#
# ## A worker that waits, and is not busy
#
# Look at the staircase again. The worker has done nothing for four seconds; it has waited. It just could
# not wait for two at a time. The same page once more, written so that *while it waits, others can be
# served*:

# %%
api = FastAPI()


@api.get("/report")
async def async_report():
    await asyncio.sleep(1)
    return "report"


# %%
comparison = compare(clinic, api, 20 * [get("/report")], workers=4, names=("Flask", "FastAPI"))
comparison

# %%
assert comparison.seconds == (5, 1)

# %% [markdown]
# One worker, twenty requests, one second. FastAPI is not five times as fast here; it does not stand in
# anybody's way. What `await` does, and what it cannot do, is the next chapter: you will build it.
#
# | your app | take | why |
# |---|---|---|
# | waits, a few dozen requests at once | threads | your code stays as it is |
# | computes | processes, one a core | one process computes one thing at a time |
# | waits, hundreds at once, or holds connections open | async | a waiting request costs no thread |
#
# ## Recap
#
# - A WSGI call blocks: one request has one worker, from the call to the last byte.
# - `n` requests on `w` workers take `ceil(n / w)` rounds. At most `w` are served at once.
# - Who waits in line is not in your log. Measure at the client.
# - Threads help those who wait, processes those who compute.
# - One after another, and nothing in line: look at the client.
#
# **The finished piece:** `asgi_lab/wsgi_server/`: `sync` is a worker, `threaded` a pool of threads, `prefork`
# a family of processes. **The specification:** [PEP 3333][pep]: the app is called once for each request, and
# returns the response ([the application side][app]; [thread support][threads]).
# **Next:** [04 · the event loop](04_event_loop.ipynb).
#
# [pep]: https://peps.python.org/pep-3333/
# [app]: https://peps.python.org/pep-3333/#the-application-framework-side
# [threads]: https://peps.python.org/pep-3333/#thread-support
