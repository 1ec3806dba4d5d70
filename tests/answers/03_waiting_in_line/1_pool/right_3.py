"""The caller is a worker, too; and a class in place of a function."""

import threading

from asgi_lab.wsgi_server.gateway import answer


class Worker(threading.Thread):
    def __init__(self, accept, app):
        super().__init__(daemon=True)
        self.accept, self.app = accept, app

    def run(self):
        while True:
            request = self.accept()
            if request is None:
                return
            answer(self.app, request)


def serve(accept, app, workers):
    others = [Worker(accept, app) for _ in range(workers - 1)]
    for worker in others:
        worker.start()
    Worker(accept, app).run()
    for worker in others:
        worker.join()
