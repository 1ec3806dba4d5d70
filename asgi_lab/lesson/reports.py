"""The same small clinic in Flask, Bottle and Django: a report that takes a second, and a ping.

run("asgi_lab.lesson.reports:flask_app", 4 * [get("/report")], server="gunicorn", workers=2)
"""

import time
from typing import Any

import bottle  # type: ignore[import-untyped]
import flask
from django.conf import settings  # type: ignore[import-untyped]
from django.core.wsgi import get_wsgi_application  # type: ignore[import-untyped]
from django.http import HttpResponse  # type: ignore[import-untyped]
from django.urls import path  # type: ignore[import-untyped]


def report() -> str:
    """Answer after a second: it stands for a slow database."""
    time.sleep(1)
    return "report"


def ping() -> str:
    """Answer at once."""
    return "pong"


flask_app = flask.Flask("clinic")
flask_app.get("/report")(report)
flask_app.get("/ping")(ping)

bottle_app = bottle.Bottle()
bottle_app.get("/report")(report)
bottle_app.get("/ping")(ping)


def django_report(request: Any) -> HttpResponse:
    """Do the same as a view of Django."""
    return HttpResponse(report())


def django_ping(request: Any) -> HttpResponse:
    """Answer at once."""
    return HttpResponse(ping())


urlpatterns = [path("report", django_report), path("ping", django_ping)]

if not settings.configured:  # a Django project in one file
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="for a lesson")
django_app = get_wsgi_application()

APPS = {"Flask": flask_app, "Bottle": bottle_app, "Django": django_app}
