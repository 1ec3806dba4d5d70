"""Files as they are sent: PNGs with a palette; SVGs that say what they show."""

import io
import re
from base64 import b64decode, b64encode
from html import escape
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo


def packed(image: Image.Image, said: PngInfo | None = None) -> bytes:
    """Return a picture as PNG with a palette: our pictures have few colours."""
    file = io.BytesIO()
    paper: Any = image.getpixel((0, 0))
    few = image.quantize(256, Image.Quantize.FASTOCTREE)
    colours, wide = few.getpalette(image.mode) or [], len(image.mode)
    index: Any = few.getpixel((0, 0))
    colours[index * wide : (index + 1) * wide] = paper  # exactly: it lies on paper of that colour
    few.putpalette(colours, image.mode)
    few.save(file, "png", pnginfo=said)
    return file.getvalue()


STYLE = re.compile(r" *<defs>\s*<style[^>]*>\*\{([^}]*)\}</style>\s*</defs>\n")


def told(svg: str, title: str, words: str) -> str:
    """Return an SVG with a title and a description, its pictures packed.

    What matplotlib sets for all elements is set for the picture alone: there may be others on a
    page.
    """
    head, _, drawing = svg.partition("<metadata>")
    drawing = drawing.partition("</metadata>")[2]
    style = STYLE.search(drawing)
    drawing = STYLE.sub("", re.sub(r"(?<=data:image/png;base64,)[^\"]+", _repacked, drawing), 1)
    attributes = head.partition("<svg ")[2].rstrip().removesuffix(">")
    return (
        f'<svg {attributes} style="{style[1] if style else ""}" role="img" '
        f'aria-label="{escape(title)}">\n <title>{escape(title)}</title>\n'
        f" <desc>{escape(words)}</desc>{drawing}"
    )


def _repacked(found: re.Match[str]) -> str:
    return b64encode(packed(Image.open(io.BytesIO(b64decode(found[0]))))).decode()
