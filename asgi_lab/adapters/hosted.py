"""The module that every server is told to serve: `asgi_lab.adapters.hosted:app`.

It is imported in the process that serves. What to trace comes in one environment variable, from
the command. If the target cannot be served here, the command is told why, and this process ends.
"""

import json
import os
import sys
from typing import Any

from asgi_lab.adapters.collector import Sender, report
from asgi_lab.adapters.hosting import VARIABLE
from asgi_lab.adapters.target import TargetError, load_target
from asgi_lab.api import trace
from asgi_lab.recorder import Recorder


def host() -> Any:
    """Return the traced app that the environment describes."""
    order = json.loads(os.environ[VARIABLE])
    address, key = order["address"], bytes.fromhex(order["key"])
    try:
        app, interface = load_target(order["target"], order["app_dir"], order["factory"])
        if order["serves"] != ("wsgi" if interface == "wsgi" else "asgi"):
            report(address, key, "interface", "wsgi" if interface == "wsgi" else "asgi")
            sys.exit(2)
    except TargetError as error:
        report(address, key, "target", str(error))
        sys.exit(2)
    recorder = Recorder(limit=order["max_events"], redact=order["redact"])
    traced = trace(app, layers=order["layers"], recorder=recorder)
    traced.ticker.follow(Sender(address, key, recorder))
    traced.ticker.start()
    return traced


app = host()
