"""03.1  A pool: so many at a time, the rest in line.

Write a WSGI server with `workers` worker threads. Two functions are given to you:

    accept()               waits for the next request in line, and returns it;
                           None: no more will come (it says so to everyone who asks)
    answer(app, request)   calls the app, and sends what it answers

Each worker does the same, again and again: accept, answer. So at most `workers` requests are
answered at a time, and a worker that is free takes the next one at once. `serve` itself returns
when all its workers have ended.

Check yourself: asgi-lab check 03.1
"""

import threading

from asgi_lab.wsgi_server.gateway import answer


def serve(accept, app, workers):
    # TODO: start the threads; then wait for their end. `answer` is what each of them calls.
    raise NotImplementedError("your turn")
