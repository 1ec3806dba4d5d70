# %% [markdown]
# # 00 · Start here: one request
#
# **You need:** Python, and a little Flask, Django or FastAPI. **You build:** nothing yet. You look.
# **Time:** 30 minutes.
#
# A browser asks. A page comes back. In between, on the server:
#
# ```
# Browser ──► server (Uvicorn) ──► app (FastAPI) ──► Response
# ```
#
# Between the server and the app there is a contract, **ASGI** (*Asynchronous Server Gateway Interface*).
# Every framework that you know with `async def` in it speaks ASGI. You use it every day, and it is
# invisible. This lab makes it visible.
#
# Run the cells one after the other: **Shift+Enter**. First, what we need:

# %%
from asgi_lab import get, run
from asgi_lab.lesson import check, expect, hint, predict
from asgi_lab.samples.fastapi_app import app

# %% [markdown]
# `app` is a FastAPI app with a few endpoints. This is one of them:

# %%
import inspect

from asgi_lab.samples import fastapi_app

print(inspect.getsource(fastapi_app.fast))

# %% [markdown]
# ## One request
#
# `run` serves the app, sends it one request, and writes down everything that passes between server and
# app. What it wrote down is a **trace**.

# %%
trace = await run(app, get("/fast"))
trace.results[0].status, trace.results[0].text

# %% [markdown]
# The client got what it wanted. How did it come about? Time flows down:

# %%
trace.sequence(conn=2)

# %% [markdown]
# Three words to remember. Everything in ASGI is one of these:
#
# - **scope**: the server calls the app once for this request, and says what is known: `GET /fast`.
# - **receive**: what comes from the client, when the app asks for it. Here it asked for nothing.
# - **send**: what the app gives back: a *start* (status and headers), then the *body*.
#
# In JupyterLab the picture is alive: **click an arrow** to read its message, turn the wheel to zoom.
# (A picture without a kernel, on GitHub for example, stands still.)
#
# The same as text, an event a line:

# %%
messages = trace.filter("conn=2 layer=0")
print(messages)

# %% [markdown]
# The `█ ran` line says for how long this request had the event loop. More about that soon.

# %% [markdown]
# ## What a message looks like
#
# It is a plain dictionary. This is the second one that the app sent:

# %%
sent = [event.data for event in messages if event.kind == "send"]
dict(sent[1])

# %% [markdown]
# Your endpoint returned a Python dict. FastAPI made JSON of it, and gave it to the server in this message.
# The server (Uvicorn, usually) makes bytes of it and writes them to the network.
#
# ## Three requests at once
#
# Now it gets interesting. `/slow` waits for half a second, as if for a database:

# %%
print(inspect.getsource(fastapi_app.slow))

# %%
guess = predict(
    "Three requests for /slow, all at the same moment. When is the last one done?",
    "after 0.5 s",
    "after 1 s",
    "after 1.5 s",
)
guess

# %%
trace = await run(app, 3 * [get("/slow")])
guess.reveal(f"after {trace.seconds:g} s")

# %%
trace.timeline()

# %% [markdown]
# Each row is a request, each bar is time. A **thin** line means: it awaits something. While one awaits, the
# others are served. One process, one thread, three requests at once.
#
# ## And one that holds everybody up
#
# `/blocking` sleeps, too. Look closely: what is different?

# %%
print(inspect.getsource(fastapi_app.blocking))

# %%
guess = predict(
    "One /blocking (0.3 s) and one /fast, at the same moment. When is /fast answered?",
    "at once",
    "after 0.3 s",
    "after 0.6 s",
)
guess

# %%
trace = await run(app, get("/blocking"), get("/fast"))
fast = trace.results[1]
guess.reveal(f"after {fast.seconds:g} s")

# %%
trace.timeline()

# %% [markdown]
# **Solid orange** means: this request *holds the event loop*. Nothing else runs meanwhile; `/fast` was not even
# let in. One word makes the difference, `await`. Chapters 04 and 07 explain it. Here it is enough to *see* it.

# %%
stalled = trace.timeline().scene
assert any(item.role == "hold" for item in stalled.items)
expect(trace, path="/blocking").answers(200, which=0)
trace.summary()

# %% [markdown]
# ## Your turn: read a trace
#
# Here is a trace of four requests. Answer three questions by looking at it, not by guessing.

# %%
puzzle = await run(app, get("/stream"), get("/slow"), get("/blocking"), get("/thread"))
puzzle.timeline()

# %%
puzzle.sequence(conn=2)


# %%
def answers():
    raise NotImplementedError("your turn")
    return {
        "the first message that /stream sends": "...",
        "how many http.response.body it sends": 0,
        "the path that holds the event loop": "/...",
    }


# %%
check("00.1", answers)

# %%
print(hint("00.1", 1))

# %% [markdown]
# One more. Which request waited, and for whom?


# %%
def waits():
    raise NotImplementedError("your turn")
    return {
        "the first answer is complete after (seconds)": 0.0,
        "requests that could not run because another held the loop": [],
    }


# %%
check("00.2", waits)

# %% [markdown]
# ## How the real ones do it
#
# Until now time was simulated (so that every run is the same, and nobody waits). Here is the same on a real
# Uvicorn, with real sockets and a real clock:

# %%
real = await run(app, get("/blocking"), get("/fast"), server="uvicorn")
order = sorted(real.results, key=lambda result: result.ended)
[result.request.path for result in order], [result.status for result in order]

# %%
real.results[0].seconds >= 0.3  # the sleep is real now

# %% [markdown]
# In your own project, in a terminal:
#
# ```
# asgi-lab trace main:app
# ```
#
# It serves your app, shows every request as it comes, and says at the end who held the loop.
#
# ## Recap
#
# - Between server and app there is one call per request, with `scope`, `receive` and `send`.
# - Messages are dictionaries with a `type`.
# - Solid: it runs, and nobody else can. Thin: it awaits, and others run.
#
# **Next:** [01 · HTTP is bytes](01_http_is_bytes.ipynb): what the server reads and writes on the other side.
