"""An event in full, in words: what is shown of the one that somebody clicks.

← send http.response.start 200 text/plain

#3, 406 ms after the trace began
status   200
headers  content-type: text/plain
         vary: accept-encoding
"""

from collections.abc import Iterator
from typing import Any

from asgi_lab.events import Data, Event
from asgi_lab.message import number, payload_size
from asgi_lab.plain import clean, duration, size
from asgi_lab.text import line

BODIES = ("body", "bytes", "text")


def words(event: Event) -> str:
    """Return all that is known of an event, a fact a line."""
    layer = f", layer {event.layer}" if event.layer else ""
    where = f"#{event.conn}, {duration(event.t)} after the trace began{layer}"
    facts = list(_facts(event.data))
    width = max((len(name) for name, _ in facts), default=0)
    told = [f"{name:<{width}}  {value}" for name, value in facts]
    return "\n".join([line(event), "", where, *told])


def _facts(data: Data) -> Iterator[tuple[str, str]]:
    for key, value in data.items():
        if key == "type" or value in (None, "", [], ()):
            continue
        name = clean(key)
        if key == "took":
            yield name, duration(number(value))
        elif key == "headers" and isinstance(value, (list, tuple)):
            for index, item in enumerate(value):
                yield "" if index else name, _header(item)
        elif key in BODIES and isinstance(value, str):
            for index, part in enumerate(value.splitlines()):
                yield "" if index else name, clean(part)
            yield "", f"({size(payload_size(data))} in all)"
        elif key != "length":
            yield name, clean(value)


def _header(item: Any) -> str:
    if isinstance(item, (list, tuple)) and len(item) == 2:
        return f"{clean(item[0])}: {clean(item[1])}"
    return clean(item)
