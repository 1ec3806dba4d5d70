"""00.1  Read a trace.

Look at the trace of four requests in notebook 00, or in a terminal:

    asgi-lab trace asgi_lab.samples.fastapi_app:app --virtual -c 4 \\
      -r "GET /stream" -r "GET /slow" -r "GET /blocking" -r "GET /thread"

(with `--view sequence --conn 2` for the messages of /stream). Answer three questions.

Check yourself: asgi-lab check 00.1
"""


def answers():
    # TODO: a name, a number, a path, in place of the dots.
    # your code begins
    return {
        "the first message that /stream sends": "http.response.start",
        "how many http.response.body it sends": 6,
        "the path that holds the event loop": "/blocking",
    }
    # your code ends
