"""Small WSGI servers, to be read: one request at a time, a pool of threads, a family of processes.

exchange   one request and its answer, whatever carries them
gateway    PEP 3333: calls the app, and passes on what it answers
sync       one worker: the loop that all models are made of
threaded   n threads, each a sync worker
prefork    n processes, each sync or threaded, and their supervisor
door       where requests come from: new clients, and known ones
http       an exchange over a socket (with environ, connection)
serving    `serve(app)`: all of it together
"""

from asgi_lab.wsgi_server.limits import Limits
from asgi_lab.wsgi_server.serving import running, serve

__all__ = ["Limits", "running", "serve"]
