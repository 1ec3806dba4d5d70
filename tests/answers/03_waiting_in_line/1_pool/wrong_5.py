"""One request a worker, and that is all."""

import threading

from asgi_lab.wsgi_server.gateway import answer


def serve(accept, app, workers):
    def work():
        request = accept()
        answer(app, request)

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
