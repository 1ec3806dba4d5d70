"""With the pool of the standard library: each worker is a loop."""

from concurrent.futures import ThreadPoolExecutor

from asgi_lab.wsgi_server.gateway import answer


def serve(accept, app, workers):
    def work(_):
        for request in iter(accept, None):
            answer(app, request)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, range(workers)))
