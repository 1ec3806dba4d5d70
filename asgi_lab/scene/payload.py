"""A scene as a browser takes it: what JSON holds, and the columns of its items as bytes.

The bytes are the columns one after the other, little-endian, each of as many values as there are
items: `begin`, `end` (float64, in ns of the trace or steps), `lane`, `label`, `event`, `fold`
(int32), `role`, `share` (uint8). The widest come first, so that each is aligned.
"""

import sys
from array import array
from base64 import b64encode
from dataclasses import asdict
from typing import Any

from asgi_lab.scene.live import Delta
from asgi_lab.scene.model import Items, Scene

PARTS = ("lanes", "groups", "arrows", "boxes", "areas", "nodes", "links", "notes", "flags")


def header(scene: Scene) -> dict[str, Any]:
    """Return all of a scene but its items; `count` says how many of those there are."""
    parts = {name: [flat(part) for part in getattr(scene, name)] for name in PARTS}
    return {
        "picture": scene.picture,
        "title": scene.title,
        "alt": scene.alt,
        "flow": scene.flow,
        "held": scene.held,
        "axis": asdict(scene.axis),
        "columns": list(scene.columns),
        "texts": list(scene.texts),
        "count": len(scene.items),
        **{name: some for name, some in parts.items() if some},
    }


def flat(part: Any) -> dict[str, Any]:
    """Return a part of a scene as a dict: as `asdict` would, which takes ten times as long."""
    return {name: getattr(part, name) for name in part.__slots__}


def delta(new: Delta) -> dict[str, Any]:
    """Return all of a delta but its items, of which there are `count`."""
    return {
        "axis": asdict(new.axis),
        "lanes": [[index, flat(lane)] for index, lane in new.lanes],
        "texts": list(new.texts),
        "count": len(new.items),
        "replace": list(new.replace),
        "boxes": [flat(box) for box in new.boxes],
        **({"flags": [flat(flag) for flag in new.flags]} if new.flags is not None else {}),
        "title": new.title,
        "alt": new.alt,
    }


def columns(items: Items) -> bytes:
    """Return the columns of items as bytes, in the order and the types told above."""
    return b"".join(_little(column) for column in items.columns)


def as_json(scene: Scene) -> dict[str, Any]:
    """Return a whole scene as JSON holds it: the columns in base64, as `items`."""
    return {**header(scene), "items": b64encode(columns(scene.items)).decode()}


def _little(column: "array[Any]") -> bytes:
    if sys.byteorder == "big":
        column = array(column.typecode, column)
        column.byteswap()
    return column.tobytes()
