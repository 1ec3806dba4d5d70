"""What a terminal shows, as plain text: for a notebook, a file, a string."""

from rich.console import Console, RenderableType

WIDTH = 100
"""Columns, unless told otherwise."""


def plaintext(renderable: RenderableType, width: int = WIDTH) -> str:
    """Return what a terminal would show, without colours, and without spaces at the ends."""
    console = Console(
        width=width,
        color_system=None,
        force_terminal=False,
        force_jupyter=False,  # in a notebook, it would be shown there and then
        highlight=False,
    )
    with console.capture() as capture:
        console.print(renderable, soft_wrap=True)
    return "\n".join(line.rstrip() for line in capture.get().splitlines()).rstrip()
