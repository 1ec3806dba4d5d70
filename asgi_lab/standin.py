"""An object in the place of another: what it does not have itself is the other's."""

from typing import Any


class StandIn:
    """Reads and writes of attributes go to the object it stands for, but for its own names."""

    __slots__ = ("__of", "__weakref__")

    def __init__(self, of: Any) -> None:
        self.__of = of

    def __getattr__(self, name: str) -> Any:
        if name == "_StandIn__of":  # a half-made copy
            raise AttributeError(name)
        return getattr(self.__of, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(type(self), name):
            object.__setattr__(self, name, value)
        else:
            setattr(self.__of, name, value)


def original(thing: Any) -> Any:
    """Return what a stand-in stands for, and anything else as it is."""
    while isinstance(thing, StandIn):
        thing = thing._StandIn__of
    return thing
