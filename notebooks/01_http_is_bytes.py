# %% [markdown]
# # 01 · HTTP is bytes
#
# **You need:** chapter 00. **You build:** a parser that makes requests of bytes. **Time:** 40 minutes.
#
# In chapter 00 your app got a scope: `GET /fast`. Nobody sends a scope over a network. A network carries
# bytes, and nothing else. The first work of every server, WSGI or ASGI, is to make sense of them.

# %%
import h11

from asgi_lab import get, run
from asgi_lab.lesson import check, hint, predict
from asgi_lab.lesson.parsing import parsed
from asgi_lab.lesson.talking import talk
from asgi_lab.samples.fastapi_app import app

# %% [markdown]
# ## What a browser says
#
# This is a whole request. A browser writes it into a connection; you could type it by hand.

# %%
request = b"GET /fast HTTP/1.1\r\nHost: example.org\r\nAccept: */*\r\n\r\n"
print(request.decode())

# %% [markdown]
# Four things, and the last is easy to miss:
#
# 1. the *request line*: method, target, version;
# 2. *header lines*: a name, a colon, a value;
# 3. every line ends in two bytes, `\r\n`;
# 4. an **empty line**: the end of the head.
#
# It is so simple that we can talk to a real server by hand. Here is Uvicorn, with the app of chapter 00:
# we send these very bytes, and print what comes back.

# %%
answer = await talk(app, request)
print(answer.decode())

# %% [markdown]
# A status line, headers, an empty line, the body. That is all HTTP/1.1 is.
#
# ## A parser, naive
#
# Bytes in, a request out:


# %%
def parse(data):
    head, _, body = data.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    method, target, _ = line.split(" ")
    headers = [tuple(field.split(": ", 1)) for field in fields]
    return method, target, headers, body


# %%
parse(request)

# %% [markdown]
# It works, and it is wrong.
#
# ## A network delivers pieces
#
# Whoever reads from a connection gets *some* bytes: as many as have come. Perhaps the request, perhaps
# half of it, perhaps two at once. TCP promises the order of bytes. It does not promise where a read ends.

# %%
first, second = request[:20], request[20:]
first, second

# %%
guess = predict(
    "What does parse(first) do?",
    "it returns the request",
    "it returns a wrong request",
    "it raises an exception",
)
guess

# %%
try:
    method, target, headers, _ = parse(first)
    outcome = "it returns a wrong request"
except ValueError as error:
    outcome = "it raises an exception"
guess.reveal(outcome)

# %%
method, target, headers

# %% [markdown]
# Half a request looks like a whole one: a request for `/fast` without a host. In a test on your machine it
# never happens, because small requests come in one piece there. In production, on a phone in a train, it does.
#
# ## A parser that waits
#
# So a parser has to *keep* what it has, and say something only when it knows. It is fed with pieces:


# %%
class Parser:
    def __init__(self):
        self.kept = b""

    def feed(self, data):
        self.kept += data
        events = []
        while b"\r\n\r\n" in self.kept:
            head, _, self.kept = self.kept.partition(b"\r\n\r\n")
            method, target, *_ = parse(head + b"\r\n\r\n")
            events.append((method, target))
        return events


# %%
parsed(Parser(), first, second)

# %% [markdown]
# Nothing after the first read; the request after the second. The same if it comes in three:

# %%
picture = parsed(Parser(), request[:3], request[3:50], request[50:])
assert [arrow.label for arrow in picture.scene.arrows if arrow.role == "in"] == ["('GET', '/fast')"]
picture

# %% [markdown]
# And two requests in one read (a client may send the next one before it has the answer to the first:
# *pipelining*) are two events:

# %%
parsed(Parser(), request + request)

# %% [markdown]
# ## Your turn: survive split reads
#
# A request may have a body. `Content-Length` says how many bytes of it come after the empty line. Write a
# parser that understands heads *and* bodies, however the bytes are cut.
#
# `feed(data)` returns a list of events. There are three kinds:
#
# - `("request", method, target)` when the head is complete;
# - `("body", data)` for bytes of the body, as soon as they are there;
# - `("end",)` when the request is complete.


# %%
class BodyParser:
    def feed(self, data):
        raise NotImplementedError("your turn")


# %%
check("01.1", BodyParser)

# %%
print(hint("01.1", 1))

# %% [markdown]
# ## Your turn: answers are bytes, too
#
# The other direction is easier, and has one trap. Write `respond(status, headers, body)`: the bytes of a
# whole response, with a `content-length`. How else would the client know where it ends?


# %%
def respond(status, headers, body):
    raise NotImplementedError("your turn")


# %%
check("01.2", respond)

# %%
print(hint("01.2", 1))

# %% [markdown]
# ## How the real ones do it
#
# A parser that never opens a socket, and only turns bytes into events, is called *sans-I/O*. It can be
# tested byte by byte, and any server can use it. The well-known one for HTTP/1.1 is **h11**; Uvicorn uses
# it, and so does the server of this lab. It is fed as yours is:


# %%
class H11:
    def __init__(self):
        self.connection = h11.Connection(h11.SERVER)

    def feed(self, data):
        self.connection.receive_data(data)
        events = []
        while (event := self.connection.next_event()) is not h11.NEED_DATA:
            if event is h11.PAUSED:
                break
            events.append(type(event).__name__)
        return events


# %%
upload = b"POST /files HTTP/1.1\r\nHost: example.org\r\nContent-Length: 9\r\n\r\n"
parsed(H11(), upload[:30], upload[30:] + b"one ", b"two t")

# %% [markdown]
# The same three kinds of events: `Request`, `Data`, `EndOfMessage`. It knows what yours does not: lines that
# are too long, names with spaces, two lengths that contradict one another. Each of those has been an attack
# (*request smuggling*), so it refuses them:

# %%
try:
    H11().feed(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n")
except h11.RemoteProtocolError as error:
    print(error)

# %% [markdown]
# Does a real Uvicorn survive split reads? One byte at a time:

# %%
answer = await talk(app, *(request[i : i + 1] for i in range(len(request))))
print(answer.decode().splitlines()[0])

# %% [markdown]
# And in the trace, on the server of this lab, the bytes and the scope stand one beside the other:

# %%
trace = await run(app, get("/fast"), server="lab")
wire = [event for event in trace if event.kind == "wire"]
[event.data["what"] for event in wire if event.conn == 2][:4]

# %% [markdown]
# ## Recap
#
# - HTTP/1.1 is lines of text and an empty line, then bytes. `\r\n` ends a line.
# - A read gives some bytes. Only the parser knows where a request ends.
# - A parser without sockets can be tested byte by byte, and every cut gives the same events.
#
# **The finished piece:** `asgi_lab/server/http11.py`, around h11. **The specification:**
# [RFC 9112, message format](https://www.rfc-editor.org/rfc/rfc9112.html#name-message-format).
# **Next:** [02 · WSGI](02_wsgi.ipynb): what a server does with a request, once it has one.
