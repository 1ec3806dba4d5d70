# %% [markdown]
# # 05 · scope, receive, send
#
# **You need:** chapter 04 (what `await` does). **You build:** an ASGI app without any framework.
# **Time:** 40 minutes.
#
# Under FastAPI, Starlette and Django there is one function. Every request is one call of it. It gets
# three things, and they are all there is:
#
# | | what it is | like |
# |---|---|---|
# | `scope` | a dict: what is known when the connection begins (method, path, headers) | the note on an order: who wants what |
# | `receive` | call it, await it: the next message *from* the client | listening |
# | `send` | call it with a message, await it: something goes *to* the client | answering |
#
# Messages are dicts, too. Each has a `type`.

# %%
from asgi_lab import get, pause, post, run
from asgi_lab.lesson import check, expect, hint, predict

# %% [markdown]
# ## The smallest app that answers
#
# Read it aloud: *send the start of a response, then its body.*


# %%
async def hello(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"Hello"})


# %% [markdown]
# `run(app, ...)` is a server and a client in one. It calls your app as Uvicorn would, in virtual time
# (chapter 04), and writes down each message that passes.

# %%
trace = await run(hello, get("/welcome"))
trace.results[0].status, trace.results[0].text

# %% [markdown]
# Here is what passed. Time flows down; an arrow to the right goes into your app, to the left out of it.

# %%
trace.sequence()

# %% [markdown]
# The dashed arrows are what a server makes of your messages: it writes HTTP (chapter 01), so that you
# do not have to.
#
# ## What is in the scope
#
# An app that answers with a part of its own scope:


# %%
async def mirror(scope, receive, send):
    text = f"{scope['method']} {scope['path']} ? {scope['query_string'].decode()}"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text.encode()})


# %%
trace = await run(mirror, get("/search?q=asgi"))
trace.results[0].text

# %% [markdown]
# `path` is text, decoded, and without the query. `query_string` and all headers are bytes, as they came.
# That is a rule of the specification ([HTTP connection scope][scope]), and every server keeps it.
#
# [scope]: https://asgi.readthedocs.io/en/latest/specs/www.html#http-connection-scope

# %%
scope = next(event for event in trace if event.kind == "scope" and event.type == "http")
sorted(scope.data)

# %% [markdown]
# ## The body comes in parts
#
# A client uploads a large file, on a slow line. Nobody wants to wait for all of it, or keep all of it
# in memory. So the body is not in the scope: it comes message by message, when *you* ask for it.

# %%
upload = post("/upload", [b"one ", pause(0.5), b"two ", pause(0.5), b"three"])

# %% [markdown]
# Here is an app that asks once.


# %%
async def hasty(scope, receive, send):
    message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": message["body"]})


# %%
guess = predict("What does the client get back?", "'one '", "'one two three'", "''")
guess

# %%
trace = await run(hasty, upload)
guess.reveal(repr(trace.results[0].text))

# %%
trace.sequence()

# %% [markdown]
# `more to come`: the message said so. Its key `more_body` was true, and nobody looked.
#
# ## Waiting is a call that has not returned
#
# `receive()` returns when there is something to return. Until then your app waits *in that line*, and
# the event loop serves others. The picture of the whole time shows it:


# %%
async def patient(scope, receive, send):
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message["body"]), message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": f"{size} bytes".encode()})


# %%
trace = await run(patient, upload, get("/"))
trace.timeline()

# %% [markdown]
# Hatched is waiting for the client: one second, because the client took one second to send. The other
# request was served meanwhile. Nothing was blocked.
#
# A check, in the words of the lab:

# %%
expect(trace, path="/upload").receives("http.request").times(3)
expect(trace, path="/upload").sends("http.response.start").once().before("http.response.body")
trace.results[0].text

# %% [markdown]
# ## What servers do when you break the order
#
# The start comes before the body. What if not?


# %%
async def upside_down(scope, receive, send):
    await send({"type": "http.response.body", "body": b"Hello"})
    await send({"type": "http.response.start", "status": 200, "headers": []})


# %%
trace = await run(upside_down, get("/"))
trace.results[0].status

# %% [markdown]
# The server raised an exception out of your `send`, as Uvicorn does, and answered 500 in your stead.
# Every conversation has *states*, and each message is allowed in some of them. This one tried to go where
# no way leads:

# %%
trace.states()

# %% [markdown]
# ## Your turn: echo
#
# Write an app that sends back exactly the bytes that it received, in however many parts they came.
# Edit the cell; run it; run the check below. (Or edit `exercises/05_scope_receive_send/1_echo.py` and
# run `asgi-lab check 05.1` in a terminal.)


# %%
async def app(scope, receive, send):
    raise NotImplementedError("your turn")


# %%
check("05.1", app)

# %%
print(hint("05.1", 1))

# %% [markdown]
# ## Your turn: countdown
#
# `more_body` works in both directions: a message that you *send* may say that more will come. The server
# passes each part on at once, and the client need not wait for the last.
#
# Answer `GET /3` with three lines: `3` at once, `2` a second later, `1` after another second. It is one
# response.
# (The same as `exercises/05_scope_receive_send/2_countdown.py`.)


# %%
async def countdown(scope, receive, send):
    number = int(scope["path"].removeprefix("/"))
    raise NotImplementedError("your turn")  # await asyncio.sleep(1) waits for a second


# %%
check("05.2", countdown)

# %%
print(hint("05.2", 1))

# %% [markdown]
# ## How the real ones do it
#
# The same `patient`, unchanged, on Uvicorn, with real sockets and a real clock:

# %%
real = await run(patient, upload, server="uvicorn")
real.results[0].text

# %% [markdown]
# Same messages, in the same order. Only the times are real, and differ a little each time.

# %%
expect(real).receives("http.request").at_least(1)
expect(real).sends("http.response.start").once().before("http.response.body")
[event.type for event in real if event.kind == "send" and event.type.startswith("http")]

# %% [markdown]
# And under FastAPI there is the same function. A `FastAPI()` *is* an ASGI app: call it with a scope,
# a `receive` and a `send`.

# %%
from fastapi import FastAPI

api = FastAPI()


@api.get("/")
async def index():
    return {"hello": "world"}


# %%
trace = await run(api, get("/"))
[event.type for event in trace if event.kind == "send" and not event.layer and event.conn == 2]

# %% [markdown]
# Your endpoint returned a dict. FastAPI made two messages of it: the same two that you sent by hand.
#
# ## Recap
#
# - One call of the app per request (or WebSocket, or lifespan), with `scope`, `receive` and `send`.
# - The scope is what is known at the beginning. Everything after that is messages.
# - `more_body` says whether another part follows, in both directions.
# - A response is one `http.response.start`, then one `http.response.body` or more.
#
# **The finished piece:** `asgi_lab/memory/` is the server that you ran; `asgi_lab/spec/states.py` has the
# states as a table. **The specification:** [HTTP & WebSocket message format][www].
# **Next:** [06 · an ASGI server](06_asgi_server.ipynb) builds the other side.
#
# [www]: https://asgi.readthedocs.io/en/latest/specs/www.html
