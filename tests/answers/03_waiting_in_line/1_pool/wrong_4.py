"""Does not wait for its threads."""

import threading

from asgi_lab.wsgi_server.gateway import answer


def serve(accept, app, workers):
    def work():
        while (request := accept()) is not None:
            answer(app, request)

    for _ in range(workers):
        threading.Thread(target=work, daemon=True).start()
