"""Joins each thread before the next is started."""

import threading

from asgi_lab.wsgi_server.gateway import answer


def serve(accept, app, workers):
    def work():
        while (request := accept()) is not None:
            answer(app, request)

    for _ in range(workers):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
