"""Takes as many as there are workers, and waits for all of them."""

import threading

from asgi_lab.wsgi_server.gateway import answer


def serve(accept, app, workers):
    more = True
    while more:
        threads = []
        for _ in range(workers):
            request = accept()
            if request is None:
                more = False
                break
            threads.append(threading.Thread(target=answer, args=(app, request)))
            threads[-1].start()
        for thread in threads:
            thread.join()
