"""A thread for each request."""

import threading

from asgi_lab.wsgi_server.gateway import answer


def serve(accept, app, workers):
    threads = []
    while (request := accept()) is not None:
        thread = threading.Thread(target=answer, args=(app, request))
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
