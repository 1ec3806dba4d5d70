"""Experiments: an app, its clients, a server and a world in; a trace, or two, out.

running     `run(app, *clients)`
comparison  `compare(a, b, *clients)`, and what came out
checking    what can be run, and on what
doors       where clients come in: `in_memory`, `in_thread`, `in_process`
"""

from asgi_lab.experiment.comparison import Comparison, compare
from asgi_lab.experiment.running import run

__all__ = ["Comparison", "compare", "run"]
