# %% [markdown]
# # Glossary
#
# **You need:** a word that you have met. **You build:** nothing. **Time:** a minute a word.
#
# Each word has a picture in everyday terms (*like …*), what it is precisely, and the place in the course
# where it can be seen. What no chapter shows yet, is shown below.

# %%
import asyncio

from asgi_lab import expect, get, post, run, ws

# %% [markdown]
# ## The web
#
# **Client** · *like a guest who orders.* The program that opens a connection and asks: a browser,
# `curl`, another service. → [00 · One request](00_start_here.ipynb#One-request)
#
# **Server** · *like a kitchen, or the house that it is in.* Two things have this name. The *server
# program* (Uvicorn, say) listens on a socket and calls your app. The *server machine* is the computer
# that it runs on. → [00 · One request](00_start_here.ipynb#One-request)
#
# **Protocol** · *like the rules of a phone call: who speaks first, how one says goodbye.* An
# agreement on which bytes or messages may follow which. → [05 · What servers do when you break the
# order](05_scope_receive_send.ipynb#What-servers-do-when-you-break-the-order)
#
# **HTTP** · *like letters with a fixed form: an address, a few lines of remarks, the text.* The
# protocol of the web. A client sends a request (method, path, headers, body), the server one response
# (status, headers, body). → [01 · What a browser says](01_http_is_bytes.ipynb#What-a-browser-says)
#
# **Request** · *like an order.* What a client sends: a line with method and path, headers, and
# perhaps a body. → [01 · What a browser says](01_http_is_bytes.ipynb#What-a-browser-says)
#
# **Response** · *like what is brought to the table.* What comes back: a status such as 200 or 404,
# headers, a body. → [01 · Your turn: answers are bytes,
# too](01_http_is_bytes.ipynb#Your-turn:-answers-are-bytes,-too)
#
# **Header** · *like a remark on an envelope.* A name with a value, before the body: `content-type:
# text/html`. → [01 · What a browser says](01_http_is_bytes.ipynb#What-a-browser-says)
#
# **Socket** · *like a pipe between two houses.* What the operating system gives a program at each end
# of a connection. Bytes go in at one end and come out at the other, in order, in pieces of any size.
# → [06 · A connection is two ends](06_asgi_server.ipynb#A-connection-is-two-ends)
#
# **API** · *like a menu: what can be ordered, and how.* The requests that a service answers, meant
# for programs. Also: the functions that a library offers. → [00 · One
# request](00_start_here.ipynb#One-request)
#
# **Endpoint** · *like a counter for one matter.* The function that answers a method and a path.
# FastAPI calls it a path operation, Flask a view. → [06 · A framework on your
# server](06_asgi_server.ipynb#A-framework-on-your-server)

# %% [markdown]
# ## Two agreements between server and app
#
# **Gateway interface** · *like a plug and a socket of one shape.* An agreement on how a server calls
# an app. With one, any server runs any framework. → [02 · It runs Flask](02_wsgi.ipynb#It-runs-Flask)
#
# **WSGI** · *like a talk with one friend: you wait for the answer before you turn to the next.* The
# Web Server Gateway Interface ([PEP 3333](https://peps.python.org/pep-3333/)): an app is a function
# of `environ` and `start_response` that returns the body. One call holds a thread until it is done. →
# [02 · One call, from beginning to end](02_wsgi.ipynb#One-call,-from-beginning-to-end)
#
# **ASGI** · *like a chat with many friends: you answer whoever has written.* The Asynchronous Server
# Gateway Interface ([specification](https://asgi.readthedocs.io/en/latest/)): an app is one
# asynchronous callable of `scope`, `receive` and `send`. A call that waits gives way to others. → [05
# · The smallest app that answers](05_scope_receive_send.ipynb#The-smallest-app-that-answers)
#
# **Callable** · *like anything with a bell.* What can be called with parentheses: a function, or an
# object whose class has `__call__`. An app is one. → [02 · An app is a function of two
# arguments](02_wsgi.ipynb#An-app-is-a-function-of-two-arguments)
#
# **environ** · *like the whole order on one sheet.* The dict that a WSGI app is called with:
# `REQUEST_METHOD`, `PATH_INFO`, headers as `HTTP_…`, and the body to be read as `wsgi.input`. → [02 ·
# Your turn: an environ](02_wsgi.ipynb#Your-turn:-an-environ)
#
# **start_response** · *like calling the status out, before the dish comes.* The function that a WSGI
# app calls with status and headers, before its body leaves. → [02 · The server's
# half](02_wsgi.ipynb#The-server's-half)
#
# **ASGI application** · *like a desk that gets a note, listens and answers.* A callable of `scope`,
# `receive` and `send`. A framework's object (`app = FastAPI()`) is one, and a function of three
# arguments, too. → [05 · The smallest app that
# answers](05_scope_receive_send.ipynb#The-smallest-app-that-answers)
#
# **Scope** · *like the note on an order: who wants what.* A dict with all that is known when a
# connection begins: its type, method, path, headers. → [05 · What is in the
# scope](05_scope_receive_send.ipynb#What-is-in-the-scope)
#
# **Receive** · *like listening.* An asynchronous function: the next message from the client. It
# returns when there is one. → [05 · Waiting is a call that has not
# returned](05_scope_receive_send.ipynb#Waiting-is-a-call-that-has-not-returned)
#
# **Send** · *like answering.* An asynchronous function: it takes a message for the client, and
# returns when the server has taken it. → [05 · The smallest app that
# answers](05_scope_receive_send.ipynb#The-smallest-app-that-answers)
#
# **Message** · *like one sentence of a talk.* A dict with a `type`, which says what else is in it.
# The specification calls it an event. → [00 · What a message looks
# like](00_start_here.ipynb#What-a-message-looks-like)
#
# **more_body** · *like “to be continued”.* A key of messages with a part of a body: true if another
# part will come, in either direction. → [05 · The body comes in
# parts](05_scope_receive_send.ipynb#The-body-comes-in-parts)
#
# **Lifespan** · *like opening the shop in the morning, closing it at night.* A call of the app that
# lasts as long as the app: `lifespan.startup` before the first request, `lifespan.shutdown` after the
# last. → [08 · A call that lasts as long as the
# app](08_lifespan_and_background.ipynb#A-call-that-lasts-as-long-as-the-app)

# %% [markdown]
# ## Waiting, and who else runs meanwhile
#
# **Synchronous** · *like cooking one dish, and then the next.* One thing after another: a call
# returns when its work is done, and its thread does nothing else. → [03 · What the worker
# does](03_waiting_in_line.ipynb#What-the-worker-does)
#
# **Asynchronous** · *like cooking several dishes: while one is in the oven, you cut for another.*
# Work that may stop where it has to wait, and lets other work go on in the same thread. → [04 · Ten
# queries at once](04_event_loop.ipynb#Ten-queries-at-once)
#
# **async and await** · *like “call me when it is ready”.* `async def` makes a function that can stop
# in the middle; `await` marks where. → [04 · async def and
# await](04_event_loop.ipynb#async-def-and-await)
#
# **Coroutine** · *like a recipe with a bookmark in it.* What a call of an `async def` function
# returns: work that has not begun. It runs when it is awaited, or given to the loop as a task. → [04
# · A function that stops in the middle](04_event_loop.ipynb#A-function-that-stops-in-the-middle)
#
# **Task** · *like an order on the cook's board.* A coroutine in the care of an event loop. It takes
# turns with the others. → [04 · Taking turns](04_event_loop.ipynb#Taking-turns)
#
# **Event loop** · *like one cook and a board of orders.* A thread that runs what is ready, one turn
# after another, and sleeps when nothing is. → [04 · The finished
# loop](04_event_loop.ipynb#The-finished-loop)
#
# **Concurrency** · *like one cook, many dishes.* Several things are under way. At any moment one of
# them may run. → [04 · Concurrency is not
# parallelism](04_event_loop.ipynb#Concurrency-is-not-parallelism)
#
# **Parallelism** · *like many cooks.* Several things run at the same moment, on several cores. → [04
# · Concurrency is not parallelism](04_event_loop.ipynb#Concurrency-is-not-parallelism)
#
# **Blocking** · *like a cook who stares at the oven.* A call that holds its thread while it waits or
# computes. On an event loop nobody else runs meanwhile. → [07 · The
# morning](07_blocking_the_loop.ipynb#The-morning)
#
# **Thread pool** · *like helpers for what has no bookmark.* A fixed number of threads that take one
# call after another. FastAPI and Starlette run a `def` endpoint in one of 40. → [07 · How many
# threads are there?](07_blocking_the_loop.ipynb#How-many-threads-are-there?)
#
# **Worker** · *like a till in a shop.* A process or thread of a server that takes requests. → [03 ·
# The pool at work](03_waiting_in_line.ipynb#The-pool-at-work)
#
# **Process and core** · *like a kitchen of its own, and a pair of hands.* A process has memory of its
# own; a core runs one thread at a time. Several processes use several cores, and share no variables.
# → [03 · Threads or processes?](03_waiting_in_line.ipynb#Threads-or-processes?)
#
# **Background task** · *like a letter that is posted after the shop has closed its till.* Work that
# goes on when the response has been sent. → [08 · After the
# response](08_lifespan_and_background.ipynb#After-the-response)
#
# **Middleware** · *like somebody in between who passes messages on, and may change them.* An app
# around an app: it calls the inner one with a `scope`, `receive` and `send` of its own making. → [A
# request passes through middleware](#A-request-passes-through-middleware)
#
# **Framework** · *like a box of ready-made parts.* A library that makes an app of your functions:
# routes, requests and responses as objects, errors. → [06 · A framework on your
# server](06_asgi_server.ipynb#A-framework-on-your-server)

# %% [markdown]
# ## More than one question, one answer
#
# **Streaming** · *like dishes that come one by one, as they are ready.* A body that is sent in parts,
# while it is being made. → [05 · Your turn:
# countdown](05_scope_receive_send.ipynb#Your-turn:-countdown)
#
# **Long-lived connection** · *like a phone that is not hung up.* One that stays open while nothing is
# said: a stream, a WebSocket, a request that waits. → [Server sent events](#Server-sent-events)
#
# **Server-sent events** · *like a news ticker.* A response of type `text/event-stream` that does not
# end: each part is an event for the browser. They go one way, from server to client. → [Server sent
# events](#Server-sent-events)
#
# **Long polling** · *like “I wait here until there is news”.* A request that is answered only when
# there is something to say. Then the client asks again. → [Long polling, and a trigger from
# outside](#Long-polling,-and-a-trigger-from-outside)
#
# **External trigger** · *like a bell that rings in the kitchen.* Something that comes from elsewhere,
# a Redis channel or a queue, and makes an app speak though its client asked nothing just then. →
# [Long polling, and a trigger from outside](#Long-polling,-and-a-trigger-from-outside)
#
# **Real-time** · *like news on the day it happens.* What changes on the server is with the client at
# once: it need not ask. → [Long polling, and a trigger from
# outside](#Long-polling,-and-a-trigger-from-outside)
#
# **WebSocket** · *like a phone call: both may speak at any time.* A connection that begins as an HTTP
# request, and then carries messages in both directions until one side closes it ([RFC
# 6455](https://www.rfc-editor.org/rfc/rfc6455)). → [A WebSocket](#A-WebSocket)
#
# **HTTP/2** · *like many talks over one line, each sentence with a number.* HTTP in binary frames
# instead of lines of text: many requests and responses share one connection ([RFC
# 9113](https://www.rfc-editor.org/rfc/rfc9113)). For an ASGI app little changes: see
# `scope["http_version"]`. → [05 · What is in the
# scope](05_scope_receive_send.ipynb#What-is-in-the-scope)
#
# **HTTP/3** · *like the same, over a road where one stopped car does not stop the others.* HTTP over
# QUIC, which is made of UDP ([RFC 9114](https://www.rfc-editor.org/rfc/rfc9114)): a lost packet holds
# up one stream, not all. → [05 · What is in the
# scope](05_scope_receive_send.ipynb#What-is-in-the-scope)

# %% [markdown]
# ### A request passes through middleware
#
# It goes inwards through each layer; the messages of the answer go outwards.

# %%
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def hello(request):
    return PlainTextResponse("Hello " * 100)


layered = Starlette(routes=[Route("/", hello)], middleware=[Middleware(GZipMiddleware)])

# %%
trace = await run(layered, get("/"))
assert trace.results[0].text == "Hello " * 100
trace.layers()

# %% [markdown]
# ### Server-sent events


# %%
async def ticker(scope, receive, send):
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for tick in (b"1", b"2", b"3"):
        event = b"data: " + tick + b"\n\n"
        await send({"type": "http.response.body", "body": event, "more_body": True})
        await asyncio.sleep(1)
    await send({"type": "http.response.body"})


# %%
trace = await run(ticker, get("/ticks"))
assert trace.results[0].body.count(b"data: ") == trace.seconds == 3
trace.sequence()

# %% [markdown]
# ### Long polling, and a trigger from outside
#
# Two clients ask for news, and wait. Then somebody brings some.


# %%
news = asyncio.Event()


async def desk(scope, receive, send):
    if scope["method"] == "POST":
        news.set()
    await news.wait()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"news"})


# %%
trace = await run(desk, get("/next"), get("/next"), post("/news", at=2.0))
assert [result.seconds for result in trace.results] == [2, 2, 0]
trace.timeline()

# %% [markdown]
# ### A WebSocket


# %%
async def shout(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"].upper()})


# %%
trace = await run(shout, ws("/chat", "hi", expect("HI"), "bye", expect("BYE")))
assert trace.results[0].close_code == 1000
trace.sequence()

# %% [markdown]
# ## Who is who
#
# | name | what it is | of which kind |
# |---|---|---|
# | **Uvicorn** | server | ASGI; what FastAPI's documentation uses |
# | **Hypercorn** | server | ASGI; HTTP/2, and HTTP/3 |
# | **Daphne** | server | ASGI; the first one, from the Django project |
# | **Gunicorn** | server | WSGI, with several processes; its worker class `asgi` runs ASGI apps |
# | **uWSGI** | server | WSGI, written in C |
# | **Apache with mod_wsgi** | server | WSGI, inside the Apache web server |
# | **FastAPI** | framework | ASGI, on Starlette: types of parameters are checked and documented |
# | **Starlette** | framework | ASGI; small, and the base of FastAPI |
# | **Django** | framework | WSGI and ASGI; with a database layer and an admin site |
# | **Django Channels** | framework | ASGI; WebSockets and more for Django |
# | **Quart** | framework | ASGI; Flask's way of writing, with `async` |
# | **Falcon** | framework | WSGI and ASGI; for APIs |
# | **Muffin** | framework | ASGI |
# | **Nexios** | framework | ASGI |
# | **BlackSheep** | framework | ASGI |
# | **Sanic** | framework | with a server of its own; runs on ASGI servers, too |
# | **Japronto** | framework | with a server of its own; no longer maintained |
# | **Flask** | framework | WSGI; small |
# | **Bottle** | framework | WSGI; one file |
#
# Servers and frameworks run live in the chapters: [Flask, Bottle and Django](02_wsgi.ipynb#It-runs-Flask),
# [Gunicorn](03_waiting_in_line.ipynb#How-the-real-ones-do-it), [Uvicorn and FastAPI](00_start_here.ipynb#How-the-real-ones-do-it).
