"""What a lesson needs besides the lab itself: expectations, checks, predictions, explorables.

    from asgi_lab.lesson import check, expect, explore_workers, predict

    check("05.1", app)                                       # an exercise, in a notebook
    expect(trace).sends("http.response.start").once()        # an expectation of a trace
    predict("How long for 20?", "1 s", "5 s", "20 s")        # a question, answered by the trace
    serve_here(app)                                          # a server that a browser can visit
    explore_workers()                                        # a picture with sliders

Names are loaded when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asgi_lab.lesson.expectations import expect as expect
    from asgi_lab.lesson.explorable import explore as explore
    from asgi_lab.lesson.explorables import explore_blocking as explore_blocking
    from asgi_lab.lesson.explorables import explore_workers as explore_workers
    from asgi_lab.lesson.failed import Failed as Failed
    from asgi_lab.lesson.notebook import check as check
    from asgi_lab.lesson.notebook import hint as hint
    from asgi_lab.lesson.quiz import predict as predict
    from asgi_lab.lesson.serving import serve_here as serve_here

_HOMES = {
    "Failed": "asgi_lab.lesson.failed",
    "check": "asgi_lab.lesson.notebook",
    "expect": "asgi_lab.lesson.expectations",
    "explore": "asgi_lab.lesson.explorable",
    "explore_blocking": "asgi_lab.lesson.explorables",
    "explore_workers": "asgi_lab.lesson.explorables",
    "hint": "asgi_lab.lesson.notebook",
    "predict": "asgi_lab.lesson.quiz",
    "serve_here": "asgi_lab.lesson.serving",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'asgi_lab.lesson' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
