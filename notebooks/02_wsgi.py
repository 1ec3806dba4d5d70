# %% [markdown]
# # 02 · WSGI: one call, one response
#
# **You need:** chapter 01. **You build:** the part of a server that calls Flask, Bottle or Django.
# **Time:** 40 minutes.
#
# A parser has made a request of bytes (chapter 01). Now somebody has to call your code. For twenty years
# Python's answer has been **WSGI**, the *Web Server Gateway Interface* ([PEP 3333][pep]). Flask, Bottle and
# Django speak it; Gunicorn and uWSGI serve it. To see what ASGI changes, see this first.
#
# [pep]: https://peps.python.org/pep-3333/

# %%
import io

from flask import Flask, request

from asgi_lab import get, run
from asgi_lab.lesson import check, expect, hint, predict
from asgi_lab.lesson.reports import APPS

# %% [markdown]
# ## An app is a function of two arguments
#
# `environ` is a dict: the request. `start_response` is a function: call it with status and headers. What the
# app **returns** is the body, as something that can be iterated: chunks of bytes.


# %%
def hello(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"Hello, ", b"world"]


# %% [markdown]
# No framework, no server. We can call it ourselves:

# %%
said = []
body = hello({}, lambda *told: said.append(told))
said, body

# %% [markdown]
# ## The server's half
#
# The smallest thing that deserves the name: it calls the app, keeps what `start_response` was told, and
# writes bytes as chapter 01 has taught.


# %%
def respond(app, environ):
    told = []
    chunks = app(environ, lambda status, headers: told.append((status, headers)))
    body = b"".join(chunks)
    status, headers = told[0]
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode() + body


# %%
print(respond(hello, {}).decode())

# %% [markdown]
# ## It runs Flask
#
# A Flask app *is* such a function. It only wants a little more in the environ:

# %%
site = Flask("site")


@site.get("/greet/<name>")
def greet(name):
    return f"Hello, {name}! You ask {request.args['q']}."


# %%
environ = {
    "REQUEST_METHOD": "GET",
    "PATH_INFO": "/greet/Ada",
    "QUERY_STRING": "q=why",
    "SERVER_NAME": "example.org",
    "SERVER_PORT": "80",
    "wsgi.url_scheme": "http",
    "wsgi.input": io.BytesIO(),
}
print(respond(site, environ).decode())

# %% [markdown]
# That was Flask, served by seven lines of yours. The names are old (they come from CGI, 1993), and headers
# hide among them as `HTTP_ACCEPT`, `HTTP_HOST`. Everything is text or a file to read from.
#
# ## One call, from beginning to end
#
# The body may be a *generator*: chunk after chunk, as it is made. Here is one that takes its time.

# %%
import time


def count(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    for number in range(3):
        time.sleep(0.5)
        yield f"{number}\n".encode()


# %%
guess = predict(
    "With `respond` above: when does the client get the first line?",
    "after 0.5 s",
    "after 1.5 s",
    "at once",
)
guess

# %% [markdown]
# `respond` joins all chunks before it answers. The same as an app, so that we can run it:


# %%
def joined(environ, start_response):
    return [b"".join(count(environ, start_response))]


# %%
trace = await run(joined, get("/"))
guess.reveal(f"after {trace.results[0].first_byte:g} s")

# %% [markdown]
# Nobody gets anything before the last chunk is made. A real server writes each chunk as soon as it has it. The
# one of this lab does; look at the times:

# %%
trace = await run(count, get("/"))
expect(trace).sends("wsgi.chunk").at(0.5, 1.0, 1.5)
trace.sequence()

# %%
trace.timeline()

# %% [markdown]
# One bar, solid from beginning to end: the call *holds its thread* for 1.5 seconds. It does nothing for most
# of that time, it sleeps. But there is no way to say "wake me when it goes on, and serve others meanwhile".
# A function that has been called can return, or not have returned yet. What that means for many requests is
# chapter 03.
#
# ## close()
#
# One more promise: when the server is done with the iterable, and also when it gives up because the client
# has left, it calls `close()`, if there is one. Files and database cursors are closed there.


# %%
class Lines:
    def __init__(self, log):
        self.log, self.left = log, [b"one\n", b"two\n"]

    def __iter__(self):
        return iter(self.left)

    def close(self):
        self.log.append("closed")


# %%
log = []


def with_close(environ, start_response):
    start_response("200 OK", [])
    return Lines(log)


respond(with_close, {}), log

# %% [markdown]
# Our `respond` forgot it. A cursor would stay open until the garbage collector finds it.
#
# ## Your turn: a gateway that keeps its promises
#
# Write `serve(app, environ, write)`. It calls `write(data)` for the head and for each chunk, as soon as it has
# it; and it calls `close()` after the last chunk, whatever happens.


# %%
def serve(app, environ, write):
    raise NotImplementedError("your turn")


# %%
check("02.1", serve)

# %%
print(hint("02.1", 1))

# %% [markdown]
# ## Your turn: an environ
#
# `environ_of(method, target, headers, body)` makes what Flask needs of what the parser of chapter 01 gives.


# %%
def environ_of(method, target, headers, body):
    raise NotImplementedError("your turn")


# %%
check("02.2", environ_of)

# %%
print(hint("02.2", 1))

# %% [markdown]
# ## How the real ones do it
#
# Flask, Bottle and Django with the same endpoint, under the same trace: each is called once, calls
# `start_response` once, gives one chunk, and is closed.

# %%
for name, app in APPS.items():
    trace = await run(app, get("/ping"))
    kinds = [e.type or e.kind for e in trace if e.kind in ("send", "close", "return")]
    print(f"{name:7} {trace.results[0].status}  {', '.join(kinds)}")

# %% [markdown]
# And on Gunicorn, the server that most of them run on, in a process of its own, on a real socket:

# %%
real = await run("asgi_lab.lesson.reports:flask_app", get("/ping"), server="gunicorn")
real.results[0].status, real.results[0].text

# %%
[e.type or e.kind for e in real if e.kind in ("send", "close", "return")]

# %% [markdown]
# What WSGI cannot do follows from its shape. One call gets one request and returns one response: a **WebSocket**
# has messages in both directions, and no place for them here. The server calls, the app answers: an app that
# waits for news (long polling, server-sent events) holds its thread all the time.
#
# ## Recap
#
# - `app(environ, start_response)` returns an iterable of bytes. One call, one response.
# - The server writes each chunk at once, and calls `close()` after the last.
# - While the call runs, it has a thread for itself.
#
# **The finished piece:** `asgi_lab/wsgi_server/gateway.py`, whose first lines are the laws it keeps.
# **The specification:** [PEP 3333][pep]. **Next:** [03 · waiting in line](03_waiting_in_line.ipynb).
#
# [pep]: https://peps.python.org/pep-3333/
