"""Django, in the style of its tutorial: an ASGI app and a WSGI app of the same views."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import Http404, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path


async def index(request: Any) -> HttpResponse:
    await asyncio.sleep(0)
    return HttpResponse(f"hello {request.GET.get('name')}")


def thread(request: Any) -> HttpResponse:
    return HttpResponse("from a thread")


def items(request: Any) -> JsonResponse:
    return JsonResponse({"body": request.body.decode()})


async def stream(request: Any) -> StreamingHttpResponse:
    async def parts() -> AsyncIterator[str]:
        for part in "abc":
            yield part

    return StreamingHttpResponse(parts())


def parts(request: Any) -> StreamingHttpResponse:
    return StreamingHttpResponse(iter("abc"))


def missing(request: Any) -> None:
    raise Http404


def fail(request: Any) -> None:
    raise LookupError("broken")


urlpatterns = [
    path(view.__name__.replace("index", ""), view)
    for view in (index, thread, items, stream, parts, missing, fail)
]


def setup() -> None:
    if not settings.configured:
        settings.configure(
            ROOT_URLCONF=__name__,
            ALLOWED_HOSTS=["*"],
            SECRET_KEY="x",
            LOGGING_CONFIG=None,
            MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
        )
        django.setup()


def make() -> ASGIHandler:
    setup()
    return ASGIHandler()


def make_wsgi() -> WSGIHandler:
    setup()
    return WSGIHandler()
