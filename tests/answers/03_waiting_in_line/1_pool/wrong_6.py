"""Calls the function instead of handing it over."""

import threading

from asgi_lab.wsgi_server.gateway import answer


def serve(accept, app, workers):
    def work():
        while (request := accept()) is not None:
            answer(app, request)

    threads = [threading.Thread(target=work()) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
