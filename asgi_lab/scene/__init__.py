"""Scenes: pure layout of what there is to see, from a trace, for every painter.

    trace -- timeline, sequence, layers, concurrency, states, comparison, difference --> Scene

A scene has lanes, bars, marks, arrows and words with roles, and no colours. The terminal, a figure,
the notebook and a page paint the same scene (`asgi_lab.view`).
"""

from asgi_lab.scene.model import Scene

__all__ = ["Scene"]
