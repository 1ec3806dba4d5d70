"""The module that every server is told to serve: `asgi_lab.adapters.hosted:app`.

It is imported in the process that serves. What to trace comes in one environment variable, from
the command. If the target cannot be served here, the command is told why, and the server ends.
"""

import json
import os
import signal
import sys
from typing import Any, NoReturn

from asgi_lab.adapters.collector import Sender, report
from asgi_lab.adapters.hosting import VARIABLE, unwind_on_sigterm
from asgi_lab.adapters.target import TargetError, load_target
from asgi_lab.api import trace
from asgi_lab.recorder import Recorder


def host() -> Any:
    """Return the traced app that the environment describes."""
    order = json.loads(os.environ[VARIABLE])
    try:
        app, interface = load_target(order["target"], order["app_dir"], order["factory"])
    except TargetError as error:
        give_up(order, "target", str(error))
    speaks = "wsgi" if interface == "wsgi" else "asgi"
    if order["serves"] != speaks:
        give_up(order, "interface", speaks)
    recorder = Recorder(limit=order["max_events"], redact=order["redact"])
    traced = trace(
        app,
        layers=order["layers"],
        rules=order["rules"],
        watchdog=order["watchdog"],
        recorder=recorder,
    )
    sender = Sender(order["address"], bytes.fromhex(order["key"]), recorder)
    sender.connect()
    unwind_on_sigterm()
    traced.ticker.follow(sender)
    traced.ticker.start()
    return traced


def give_up(order: dict[str, Any], kind: str, text: str) -> NoReturn:
    """Tell the command why this app is not served, and end.

    The whole server ends at once, before it starts another worker or says the same in its own
    words; but one that reloads waits for the next change.
    """
    report(order["address"], bytes.fromhex(order["key"]), kind, text)
    sys.stdout.flush()
    if not order["reload"]:
        os.killpg(0, signal.SIGKILL)
    sys.exit(2)


app = host()
