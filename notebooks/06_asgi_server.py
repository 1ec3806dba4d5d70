# %% [markdown]
# # 06 · An ASGI server
#
# **You need:** chapters 01 (HTTP is bytes; h11) and 05 (scope, receive, send). **You build:** the server
# between them, from the socket up. **Time:** 45 minutes, and as long again for the graded exercise.
#
# In chapter 05 you wrote apps, and somebody called them. Who? A server such as Uvicorn. It has bytes on one
# side and an app on the other:
#
# ```
# network ──bytes──► h11 ──events──► your server ──scope, messages──► app
# network ◄──bytes── h11 ◄──events── your server ◄─────messages────── app
# ```
#
# The left half is chapter 01, the right half chapter 05. The middle is about forty lines. You write them now.

# %%
import asyncio
import inspect
import logging
import time
from urllib.parse import unquote

import h11
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import RequestResponseCycle

from asgi_lab import cpu, get, run
from asgi_lab.experiment.comparison import Comparison, Side
from asgi_lab.lesson import check, expect, hint, predict
from asgi_lab.lesson.own_server import run_on, talk_to
from asgi_lab.lesson.queueing import most_at_once
from asgi_lab.lesson.reports import APPS
from asgi_lab.lesson.talking import talk
from asgi_lab.server.exchange import Exchange
from asgi_lab.server.http11 import Http11

# %% [markdown]
# ## A connection is two ends
#
# asyncio listens for us. For each client that connects it calls a function of ours, with two ends: a
# `reader`, from which bytes come, and a `writer`, which takes some. The smallest server says back what it
# hears:


# %%
async def parrot(reader, writer):
    data = await reader.read(65536)
    writer.write(b"You said: " + data)
    await writer.drain()
    writer.close()


# %% [markdown]
# `read(65536)` waits until something has come, and gives that: at most 65,536 bytes, perhaps fewer. `write`
# only puts bytes in line; `drain` waits as long as the line is too long. Here is a server and a client, on
# real sockets, in this very notebook. (Port 0 is any port that is free.)

# %%
listening = await asyncio.start_server(parrot, "127.0.0.1", 0)
port = listening.sockets[0].getsockname()[1]
reader, writer = await asyncio.open_connection("127.0.0.1", port)
writer.write(b"hello")
print(await reader.read(65536))

# %%
writer.close()
listening.close()

# %% [markdown]
# ## From bytes to events
#
# h11 knows HTTP, and no socket (chapter 01). We feed it with what we read, until it has an event:


# %%
async def next_event(conn, reader):
    while (event := conn.next_event()) is h11.NEED_DATA:
        conn.receive_data(await reader.read(65536))
    return event


# %% [markdown]
# Now the server is a translator. On both sides there are words, and these belong together:
#
# | h11 | ASGI |
# |---|---|
# | `Request` | the `scope`: the app is called |
# | `Data` | `receive()` gives `http.request`, with `more_body` true |
# | `EndOfMessage` | `receive()` gives `http.request`, with `more_body` false |
# | `ConnectionClosed` | `receive()` gives `http.disconnect` |
# | `Response` | the app sends `http.response.start` |
# | `Data` | the app sends `http.response.body` |
# | `EndOfMessage` | ... with `more_body` false, or without it |
#
# ## Stage 1: GET
#
# A `Request` becomes a scope:


# %%
def scope_of(request):
    path, _, query = request.target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": request.http_version.decode(),
        "method": request.method.decode(),
        "path": unquote(path.decode()),
        "query_string": query,
        "headers": list(request.headers),
    }


# %%
scope_of(h11.Request(method="GET", target="/search?q=a", headers=[("Host", "lab")]))

# %% [markdown]
# `send` goes the other way: messages become events, `conn.send(event)` makes bytes of an event, and the
# writer takes them. The app gets `send` as a function of one message, so we make one that knows this
# connection:


# %%
def sender(conn, writer):
    async def send(message):
        if message["type"] == "http.response.start":
            head = h11.Response(status_code=message["status"], headers=message["headers"])
            writer.write(conn.send(head))
        else:
            writer.write(conn.send(h11.Data(data=message["body"])))
            if not message.get("more_body", False):
                writer.write(conn.send(h11.EndOfMessage()))
        await writer.drain()

    return send


# %% [markdown]
# That is a server. It reads a request, calls the app, and hangs up:


# %%
async def get_only(app, reader, writer):
    conn = h11.Connection(h11.SERVER)
    request = await next_event(conn, reader)
    await app(scope_of(request), None, sender(conn, writer))
    writer.close()


# %% [markdown]
# An app from chapter 05, and real bytes. `talk_to(server, app, bytes)` starts the server on a real socket,
# writes the bytes, and returns what comes back:


# %%
async def hello(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"Hello"})


# %%
GET = b"GET / HTTP/1.1\r\nHost: lab\r\n\r\n"
print(talk_to(get_only, hello, GET).decode())

# %% [markdown]
# It speaks HTTP. Look at the body: `5`, `Hello`, `0`. Our app gave no `content-length`, so nobody knows how
# long the body will be. h11 sends it in *chunks*: each with its length in front, and one of length 0 to say
# that it is over. With a `content-length` there are no chunks:


# %%
async def counted(scope, receive, send):
    headers = [(b"content-length", b"5")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"Hello"})


# %%
print(talk_to(get_only, counted, GET).decode())

# %% [markdown]
# ## Stage 2: the body
#
# We gave the app `None` for `receive`. Now it gets one. Each call reads on until there is an event, and
# says what it means:


# %%
def receiver(conn, reader):
    async def receive():
        event = await next_event(conn, reader)
        if type(event) is h11.Data:
            return {"type": "http.request", "body": bytes(event.data), "more_body": True}
        if type(event) is h11.EndOfMessage:
            return {"type": "http.request", "body": b"", "more_body": False}
        return {"type": "http.disconnect"}

    return receive


# %%
async def with_body(app, reader, writer):
    conn = h11.Connection(h11.SERVER)
    request = await next_event(conn, reader)
    await app(scope_of(request), receiver(conn, reader), sender(conn, writer))
    writer.close()


# %% [markdown]
# Notice what does *not* happen: nobody reads the whole body first. The app asks, and only then the server
# reads. While an app does not ask, a large upload has to wait: the network carries no more than somebody takes.


# %%
async def loud(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    more = True
    while more:
        message = await receive()
        more = message["more_body"]
        body = message["body"].upper()
        await send({"type": "http.response.body", "body": body, "more_body": more})


# %%
POST = b"POST / HTTP/1.1\r\nHost: lab\r\nContent-Length: 13\r\n\r\n"
print(talk_to(with_body, loud, POST + b"one ", b"two ", b"three").decode())

# %% [markdown]
# Three reads, three chunks: each part went out before the next one was read.
#
# ## Stage 3: keep-alive
#
# A page has pictures, styles, scripts. HTTP/1.1 fetches them one after the other *over the same
# connection*: opening a new one takes time.

# %%
guess = predict(
    "Two requests over one connection. How many answers does with_body give?", "0", "1", "2"
)
guess

# %%
answers = talk_to(with_body, hello, GET + GET, answers=2)
guess.reveal(str(answers.count(b"HTTP/1.1 200")))

# %% [markdown]
# It hangs up after the first. What we have is one step; put it in a loop. h11 is made for that: when both
# sides have said all, `start_next_cycle()` makes it ready for the next request. *Both* sides: an app may
# answer without reading the body (`hello` does), and then the rest of the request still stands in the way.
# So we read it, and forget it.


# %%
async def serve(app, reader, writer):
    conn = h11.Connection(h11.SERVER)
    while type(request := await next_event(conn, reader)) is h11.Request:
        await app(scope_of(request), receiver(conn, reader), sender(conn, writer))
        while conn.their_state is h11.SEND_BODY:
            await next_event(conn, reader)
        conn.start_next_cycle()
    writer.close()


# %%
answers = talk_to(serve, hello, GET + GET, answers=2)
answers.count(b"HTTP/1.1 200")

# %%
answers = talk_to(serve, hello, POST + b"one two three", GET, answers=2)
assert answers.count(b"HTTP/1.1 200") == 2  # the body that hello has not read is passed over

# %% [markdown]
# The loop ends when the client hangs up: then the next event is no `Request`, but `ConnectionClosed`.

# %%
pieces = (next_event, scope_of, sender, receiver, serve)
print(sum(len(inspect.getsource(piece).strip().splitlines()) for piece in pieces), "lines")

# %% [markdown]
# ## A framework on your server
#
# FastAPI asks for nothing more than this. The report of chapter 03, a page that waits for one second:

# %%
api = FastAPI()


@api.get("/report")
async def report():
    await asyncio.sleep(1)
    return "report"


# %%
print(talk_to(serve, api, b"GET /report HTTP/1.1\r\nHost: lab\r\n\r\n").decode())

# %% [markdown]
# ## Twenty at once
#
# In chapter 03, twenty people opened that page on four WSGI workers: five seconds, a staircase. Now on your
# server. It has no workers, no threads, no line. (`run_on` runs it in virtual time, as in chapter 03.)

# %%
guess = predict(
    "20 requests of 1 s, on your server. When is the last one done?", "1 s", "5 s", "20 s"
)
guess

# %%
on_yours = await run_on(serve, api, 20 * [get("/report")])
guess.reveal(f"{on_yours.seconds:g} s")

# %%
on_workers = await run(APPS["Flask"], 20 * [get("/report")], workers=4)
comparison = Comparison(
    Side("Flask", "4 WSGI workers", on_workers), Side("FastAPI", "your server", on_yours)
)
comparison

# %%
expect(on_yours).overlaps(exactly=20).holds_the_loop(at_most=0.01)
assert comparison.seconds == (5, 1)

# %% [markdown]
# Where in your lines is that? Nowhere, and everywhere. `asyncio.start_server` calls `serve` in a *task*
# of its own for each connection (chapter 04), and each `await` in it lets the others on. Twenty connections are
# twenty calls of `serve`, each standing at its own `await app(...)`.
#
# ## How many requests can one worker hold?
#
# "One worker handles one request at a time": that is true of a WSGI worker with one thread (chapter 03). Your
# server is one worker, with one thread.

# %%
guess = predict("1000 requests of 1 s. How many does it hold at once?", "1", "40", "1000")
guess

# %%
for requests in (10, 100, 1000):
    trace = await run_on(serve, api, requests * [get("/report")])
    print(f"{requests:4} requests: {most_at_once(trace):4} at once, done after {trace.seconds:g} s")
guess.reveal(str(most_at_once(trace)))

# %% [markdown]
# There is no number in your server that says how many. A request that waits costs a task and a socket: some
# memory, and one of the files that the system lets a process have open. What stops you first is usually
# behind the app: a database with room for 100 connections.
#
# But to *hold* is not to *serve*. What computes, or blocks, has the thread for itself:


# %%
def app_that(step):
    async def app(scope, receive, send):
        await step()
        await hello(scope, receive, send)

    return app


async def waits():
    await asyncio.sleep(0.1)


async def computes():
    cpu(0.1)


async def blocks():
    time.sleep(0.1)


# %%
for step in (waits, computes, blocks):
    trace = await run_on(serve, app_that(step), 20 * [get("/")])
    print(f"20 requests, each {step.__name__:8} for 0.1 s: done after {trace.seconds:g} s")

# %% [markdown]
# So the answer has two halves. *Waiting:* thousands. *Working:* one, at any moment. For more of the second you
# need more processes; chapter 07 looks for the third line of that table in real apps.
#
# The same count on a real Uvicorn, with one worker, on the real clock:

# %%
real = await run(api, 50 * [get("/report")], server="uvicorn")
print(f"{most_at_once(real)} at once, on one worker of Uvicorn")

# %% [markdown]
# ## What is missing
#
# It works as long as everybody is nice. Somebody sends what is no HTTP:

# %%
garbage = b"what is this?\r\n\r\n"
try:
    talk_to(serve, hello, garbage)
except h11.RemoteProtocolError as error:
    print("serve raised", type(error).__name__, "and the client got no answer")


# %% [markdown]
# The app fails:


# %%
async def fails(scope, receive, send):
    raise ValueError("no such report")


# %%
try:
    talk_to(serve, fails, GET)
except ValueError as error:
    print("serve raised", type(error).__name__, "and the client got no answer")

# %% [markdown]
# The client hangs up while the app works; a body breaks off; the next request comes early, and looks like a
# client that has gone. A server is ready for all of these.
#
# ## Your turn: a server, stage by stage
#
# Build it: `my_server(app, reader, writer)`. Take the pieces from above; you may change them. The check is a
# row of stages, each over a real socket: **GET, body, keep-alive, pipelining, chunked, disconnect, errors**.
# It stops at the first that fails, and shows the bytes that were sent and those that came. If your server
# gives no answer within two seconds, it says at which line it waits.
#
# (It is easier in a file, with `asgi-lab check 06.1 --watch` in a terminal:
# `exercises/06_asgi_server/1_server.py`.)


# %%
async def my_server(app, reader, writer):
    raise NotImplementedError("your turn")


# %%
check("06.1", my_server)

# %%
print(hint("06.1", 1))

# %% [markdown]
# How far does the one above come? Try it, and read what the check says about it:

# %%
check("06.1", serve)

# %% [markdown]
# ## Your turn: the scope, to the letter
#
# `scope_of` above left out a few keys. Write the whole scope: `path` is decoded, `raw_path` is not, the query is
# bytes, headers are a list, `client` and `server` say who asks whom. (`exercises/06_asgi_server/2_scope.py`
# tells which keys.)


# %%
def my_scope(request, client, server):
    raise NotImplementedError("your turn")


# %%
check("06.2", my_scope)

# %%
print(hint("06.2", 1))

# %% [markdown]
# ## How the real ones do it
#
# The finished server of this lab has the same pieces. This is its `receive`:

# %%
print(inspect.getsource(Exchange.receive))

# %% [markdown]
# One thing is different, and it is the answer to the stage *disconnect*. Yours reads from the network inside
# `receive`; here the connection reads all the time, and sets the event `_news` when something has come.
# `receive` only waits for news. So the server knows that a client has gone even if the app never asks.
#
# And its `send`, where it becomes bytes. It makes the chunks by itself (`%x`: lengths are hexadecimal):

# %%
print(inspect.getsource(Http11.body))

# %% [markdown]
# Uvicorn, too. It has a class for one request and its response (one for h11, and one for httptools, a parser in
# C, which it prefers if it is installed). These are its methods:

# %%
methods = inspect.getmembers(RequestResponseCycle, inspect.isfunction)
[name for name, _ in methods if not name.startswith("_")]

# %% [markdown]
# `run_asgi` calls your app; `send_500_response` is what ours lacked. The same app, and the same bytes, on a
# real Uvicorn:

# %%
print((await talk(hello, GET)).decode())

# %% [markdown]
# Compare with the answer of *your* server above: the same chunks, the same end. Uvicorn adds the words `OK`, its
# name, and a date (left out here). What is no HTTP gets an answer:

# %%
print((await talk(hello, garbage)).decode().splitlines()[0])

# %% [markdown]
# And so does the client of an app that fails. (The exception goes into Uvicorn's log. We turn that off here.)

# %%
logging.getLogger("uvicorn.error").disabled = True
print((await talk(fails, GET)).decode().splitlines()[0])

# %% [markdown]
# ## Recap
#
# - A server is a translator: bytes to events (h11), events to scope and messages, and back.
# - One call of `serve` per connection, one call of the app per request.
# - A connection is kept for the next request; first both sides have to be done with this one.
# - Without a `content-length` a body travels in chunks.
# - One worker holds as many requests as wait, and runs one at a time.
# - Half of a server is about what goes wrong: garbage, failing apps, clients that go.
#
# **The finished piece:** `asgi_lab/server/`: `http11.py` (bytes and events), `exchange.py` (receive and send),
# `scope.py`, `connection.py` (the two ends), `serve.py` (listening). **The specification:**
# [HTTP connection scope][scope] and [the messages below it][www]; for the bytes
# [RFC 9112](https://www.rfc-editor.org/rfc/rfc9112.html). **To read on:** [asyncio streams][streams],
# [h11's states][h11].
# **Next:** [07 · blocking the loop](07_blocking_the_loop.ipynb): one line that makes everybody wait, and how to find it.
#
# [scope]: https://asgi.readthedocs.io/en/latest/specs/www.html#http-connection-scope
# [www]: https://asgi.readthedocs.io/en/latest/specs/www.html#request-receive-event
# [streams]: https://docs.python.org/3/library/asyncio-stream.html
# [h11]: https://h11.readthedocs.io/en/latest/api.html
