"""One accepts for all; a semaphore counts who is free."""

import threading

from asgi_lab.wsgi_server.gateway import answer


def serve(accept, app, workers):
    free = threading.Semaphore(workers)
    threads = []

    def work(request):
        try:
            answer(app, request)
        finally:
            free.release()

    while (request := accept()) is not None:
        free.acquire()
        threads.append(threading.Thread(target=work, args=(request,)))
        threads[-1].start()
    for thread in threads:
        thread.join()
