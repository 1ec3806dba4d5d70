# %% [markdown]
# # 08 · Lifespan and background work
#
# **You need:** chapter 05 (an ASGI app) and 07 (what blocks). **You build:** a startup and a shutdown, and work
# that goes on after the response. **Time:** 45 minutes.
#
# A request is short. An app lives longer: it opens a pool of connections before the first request, and closes it
# after the last. And some work is longer than its request: a mail that nobody wants to wait for. Who looks after
# what is not a request?

# %%
import asyncio
import gc
import inspect
import time
import weakref
from contextlib import asynccontextmanager

from fastapi import BackgroundTasks, FastAPI, Request
from starlette.middleware.base import BaseHTTPMiddleware

from asgi_lab import get, run
from asgi_lab.framework import background, lifespan
from asgi_lab.lesson import check, expect, hint, predict
from asgi_lab.lesson.lifetimes import lifetimes
from asgi_lab.memory import LifespanFailed

# %% [markdown]
# ## A call that lasts as long as the app
#
# Here is a helper, so that we need not write the two messages of a response again and again:


# %%
async def answer(send, body):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


# %% [markdown]
# Before the first request, the server calls your app with another kind of scope: `lifespan`. In that call it says
# two things, by `receive`, and waits for your answers: *start up*, and much later *shut down*. Opening takes half a
# second here, and so does closing.


# %%
async def live(scope, receive, send):
    await receive()  # lifespan.startup
    await asyncio.sleep(0.5)
    scope["state"]["pool"] = "pool 1"
    await send({"type": "lifespan.startup.complete"})
    await receive()  # lifespan.shutdown
    await asyncio.sleep(0.5)
    await send({"type": "lifespan.shutdown.complete"})


# %%
async def page(scope, receive, send):
    await asyncio.sleep(0.3)
    await answer(send, scope["state"]["pool"].encode())


# %% [markdown]
# So an app has two parts, its life and its pages, and the type of the scope says which of them is called:


# %%
def app_of(life, page):
    async def app(scope, receive, send):
        part = life if scope["type"] == "lifespan" else page
        await part(scope, receive, send)

    return app


# %%
guess = predict("Which comes first in the trace: the app's answer, or the scope of the first request?",
                "lifespan.startup.complete", "http")  # fmt: skip
guess

# %%
trace = await run(app_of(live, page), get("/"), get("/", at=0.5))
guess.reveal(next(e.type for e in trace if e.type in guess.choices))

# %%
lifetimes(trace)

# %% [markdown]
# The lifespan is a bracket around all requests. Until it is open, the server lets nobody in; and it closes only
# when the last request is done. It is one single call, which waits most of the time:

# %%
trace.sequence(conn=1)

# %%
life = expect(trace, lifespan=True).keeps_the_rules()
life.sends("lifespan.startup.complete").once().before("lifespan.shutdown.complete")
[result.text for result in trace.results]

# %% [markdown]
# ## What the requests get: the state
#
# A pool has to come from the lifespan to the requests. A global would do, in a small program. ASGI has a place for
# it: `scope["state"]`. What the lifespan leaves there, each request finds in its own scope, as a *shallow copy*.


# %%
async def counter(scope, receive, send):
    if scope["type"] == "lifespan":
        scope["state"].update(number=0, names=[])
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    scope["state"]["number"] += 1
    scope["state"]["names"].append("x")
    await answer(send, f"{scope['state']['number']} {len(scope['state']['names'])}".encode())


# %%
guess = predict("What does the third request get?", "1 1", "1 3", "3 3")
guess

# %%
trace = await run(counter, [get("/", at=second) for second in range(3)])
guess.reveal(trace.results[2].text)

# %% [markdown]
# The dict is a copy, so what one request puts in does not reach the next. The *list in it* is the same for all.
# For a pool that is just right.
#
# ## When it does not start
#
# An app that cannot start says so. Then the server ends, and prints your message.


# %%
async def no_database(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database at db:5432"})


# %%
try:
    await run(no_database, get("/"))
except LifespanFailed as failed:
    print(failed)

# %% [markdown]
# And if it just raises? Many apps know nothing of lifespan, as those of chapter 05: called with such a scope, they
# end in an exception. So a server reads an exception as *"not supported"*, and goes on without.


# %%
async def raises(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        raise ConnectionError("no database at db:5432")
    await answer(send, b"I am up!")


# %%
guess = predict("The startup raises. Is a request answered?", "yes", "no")
guess

# %%
trace = await run(raises, get("/"))
guess.reveal("yes" if trace.results[0].status == 200 else "no")

# %%
trace.diagnose()

# %% [markdown]
# A server that serves an app which has not started: that is the worst of both. So say `startup.failed`, or use a
# framework: it does so for you. (`uvicorn --lifespan on` takes an exception for a failure, too.)
#
# ## Your turn: open and close a pool
#
# It opens before the first request and closes after the last, and nothing stays open when it fails. Or edit
# `exercises/08_lifespan_and_background/1_pool.py`, and run `asgi-lab check 08.1` in a terminal.


# %%
async def live_with_a_pool(pool, scope, receive, send):
    raise NotImplementedError("your turn")


# %%
check("08.1", live_with_a_pool)

# %%
print(hint("08.1", 1))

# %% [markdown]
# In a framework all this is one function with a `yield`: before it is startup, after it is shutdown. The lab's own
# framework makes the messages of it like this. Compare it with yours:

# %%
print(inspect.getsource(lifespan.live))

# %% [markdown]
# ## After the response
#
# A response is complete with its last body. Your function need not be: what stands after that `send`, runs.


# %%
async def signup(scope, receive, send):
    await asyncio.sleep(0.2)
    await answer(send, b"welcome")
    await asyncio.sleep(1)  # sends a mail


# %%
guess = predict("How long does the client wait?", "0.2 s", "1.2 s")
guess

# %%
trace = await run(app_of(live, signup), get("/signup"))
guess.reveal(f"{trace.results[0].seconds:g} s")

# %%
lifetimes(trace)

# %% [markdown]
# The outlined bar is the app at work after the response. And look at the bracket: the server was told to stop as
# soon as the client had its answer, at 0.7 s. It waited for the mail, *then* it said shutdown. To the server, the
# request is over when your call returns.

# %%
shutdown = next(e for e in trace if e.kind == "received" and e.type == "lifespan.shutdown")
assert shutdown.t / 1e9 == 1.7
expect(trace).sends("http.response.body").once().before("lifespan.shutdown")
trace.results[0].seconds, shutdown.t / 1e9

# %% [markdown]
# That is all there is to `BackgroundTasks`: a list of functions, called after the response, by the same call. Here
# is the lab's own. `call` is from chapter 07: a plain `def` goes to a thread.

# %%
print(inspect.getsource(background.BackgroundTasks))

# %% [markdown]
# ## `create_task`: nobody waits
#
# The other way is to give the mail to the loop, and to return.


# %%
async def mail():
    await asyncio.sleep(1)


tasks = set()


# %%
async def signup_task(scope, receive, send):
    await asyncio.sleep(0.2)
    await answer(send, b"welcome")
    tasks.add(asyncio.create_task(mail()))


# %%
guess = predict("The server stops at 0.7 s. What becomes of the mail?", "returned", "cancelled")
guess

# %%
trace = await run(app_of(live, signup_task), get("/signup"))
guess.reveal(next(e.data["outcome"] for e in trace if e.kind == "done"))

# %%
lifetimes(trace)

# %% [markdown]
# To the server the request was over. It knows nothing of the task, and shuts down. With the loop the task ends, in
# the middle of its work. If it must not, let the lifespan wait for it: open an `asyncio.TaskGroup` there, and give
# it to the requests. A task group is left when all its tasks are done.


# %%
async def live_with_tasks(scope, receive, send):
    await receive()
    async with asyncio.TaskGroup() as scope["state"]["tasks"]:
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})


# %%
async def signup_group(scope, receive, send):
    await answer(send, b"welcome")
    scope["state"]["tasks"].create_task(mail())


# %%
trace = await run(app_of(live_with_tasks, signup_group), get("/signup"))
[event.data["outcome"] for event in trace if event.kind == "done"]

# %% [markdown]
# ## Why a task may vanish
#
# We kept the task in a set. Was that necessary? The loop itself keeps only a *weak* reference to a task. Whatever
# the task waits for usually holds it. If nothing does, the next garbage collection takes the task away, in the
# middle of its work, without an exception in it. Here is one that waits for something that only it knows:


# %%
async def waits_for_a_sign():
    await asyncio.get_running_loop().create_future()


# %%
said = []
asyncio.get_running_loop().set_exception_handler(lambda loop, told: said.append(told["message"]))
forgotten = weakref.ref(asyncio.create_task(waits_for_a_sign()))
await asyncio.sleep(0.01)
gc.collect()
asyncio.get_running_loop().set_exception_handler(None)
forgotten(), said[-1:]

# %% [markdown]
# `None`: it is gone, and all that is left is a line in a log. So keep what `create_task` returns, and let it go when
# it is done: `task.add_done_callback(tasks.discard)`. A task group does both.
#
# ## Your turn: a mail after the response
#
# Answer at once, then send the mail: though the server stops, and though the mail may fail. (The same as
# `exercises/08_lifespan_and_background/2_mail.py`.)


# %%
async def sign_up(name, send, send_mail):
    raise NotImplementedError("your turn")


# %%
check("08.2", sign_up)

# %%
print(hint("08.2", 1))

# %% [markdown]
# ## Nobody waits, and yet all do
#
# After the response, the client is gone. The event loop is not. A background task that blocks does what any blocking
# call does (chapter 07):

# %%
api = FastAPI()


async def mail_that_blocks():
    time.sleep(0.8)  # smtplib, for example


# %%
@api.get("/signup")
async def signup_api(after: BackgroundTasks):
    after.add_task(mail_that_blocks)
    return "welcome"


@api.get("/price")
async def price():
    return "price"


# %%
trace = await run(api, get("/signup"), get("/price", at=0.1))
print([result.seconds for result in trace.results])
trace.diagnose()

# %% [markdown]
# `/signup` was quick, and `/price` paid for it. A plain `def` runs in a thread, after the response, too
# (`time.sleep` is one):


# %%
@api.get("/signup-def")
async def signup_def(after: BackgroundTasks):
    after.add_task(time.sleep, 0.8)
    return "welcome"


# %%
trace = await run(api, get("/signup-def"), get("/price", at=0.1))
expect(trace).holds_the_loop(at_most=0.01)
[result.seconds for result in trace.results]

# %% [markdown]
# ### Prove it
#
# It is often said that background tasks behind a `BaseHTTPMiddleware` (or `@app.middleware("http")`, which is the
# same) delay the response. They once did. On the versions that you have installed:


# %%
async def passes_on(request, call_next):
    return await call_next(request)


# %%
trace = await run(BaseHTTPMiddleware(api, dispatch=passes_on), get("/signup-def"))
assert trace.results[0].seconds == 0
lifetimes(trace)

# %% [markdown]
# ## How the real ones do it
#
# FastAPI, with a lifespan function, a background task and a task of its own. It keeps a diary.

# %%
diary = []


@asynccontextmanager
async def lifespan_of(app):
    diary.append("open the pool")
    yield {"pool": "pool 1"}
    diary.append("close the pool")


# %%
async def work(name):
    try:
        await asyncio.sleep(0.5)
        diary.append(f"{name} done")
    except asyncio.CancelledError:
        diary.append(f"{name} cancelled")
        raise


# %%
clinic = FastAPI(lifespan=lifespan_of)


@clinic.get("/signup")
async def signup_clinic(request: Request, after: BackgroundTasks):
    diary.append(f"answer, with {request.state.pool}")
    after.add_task(work, "background task")


@clinic.get("/task")
async def task_clinic():
    await asyncio.sleep(0.2)
    diary.append("answer, with a task")
    tasks.add(asyncio.create_task(work("task")))


# %% [markdown]
# First in virtual time, then on Uvicorn, with real sockets and a real clock. The clients leave after 0.2 s.

# %%
diaries = {}
for server in ("memory", "uvicorn"):
    diary.clear()
    await run(clinic, get("/signup"), get("/task"), server=server)
    diaries[server] = list(diary)

print("\n".join(diaries["uvicorn"]))
assert diaries["memory"] == diaries["uvicorn"]

# %% [markdown]
# The same diary in both worlds. Uvicorn waits for the background task, shuts the app down, and what is left is
# cancelled, last of all.
#
# Whether a server waits for ever is up to its settings (`uvicorn --timeout-graceful-shutdown 5`: five seconds, then
# it cancels). A process that is killed waits for nothing.
#
# ## BackgroundTasks, `create_task` or a queue?
#
# | | the server waits for it | it survives a crash, and is tried again | for |
# |---|---|---|---|
# | after the response (`BackgroundTasks`) | yes, when it stops as usual | no | a mail, a log entry, a cache |
# | `create_task` | no; let the lifespan wait | no | what lives as long as the app: a timer, a listener |
# | a queue with workers of its own (Celery, arq, Dramatiq) | no need | yes | payments, reports, all that must not be lost |
#
# ## Recap
#
# - `lifespan` is the third kind of scope: one call from before the first request until after the last.
# - `startup.failed` stops the server. An exception means *"I know no lifespan"*, and the server goes on.
# - `scope["state"]`: filled at startup, a shallow copy for each request.
# - A response is complete with its last body. What your call does after that, the client does not wait for, and
#   the server does.
# - A task of your own is nobody's. Keep it, and have somebody wait for it.
# - After the response is still in the loop: what blocks there, blocks all.
#
# **The finished piece:** `asgi_lab/framework/lifespan.py`, `asgi_lab/framework/background.py`, and the server's side
# of it: `asgi_lab/server/lifespan.py`. **To read on:** `asgi-lab explain LIFESPAN-NOT-REACHED` and
# `asgi-lab explain AFTER-RESPONSE`. **The specification:** [lifespan protocol][spec], [lifespan state][state].
#
# You can now say what every line of a trace means. **Next:** 09 · middleware.
#
# [spec]: https://asgi.readthedocs.io/en/latest/specs/lifespan.html
# [state]: https://asgi.readthedocs.io/en/latest/specs/lifespan.html#lifespan-state
