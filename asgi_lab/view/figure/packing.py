"""Small files: pictures with a palette, in PNG, and in the PNGs within an SVG."""

import io
import re
from base64 import b64decode, b64encode
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


def repacked(svg: str) -> str:
    """Return an SVG whose pictures are packed."""
    return re.sub(r"(?<=data:image/png;base64,)[^\"]+", _repacked, svg)


def _repacked(found: re.Match[str]) -> str:
    return b64encode(packed(Image.open(io.BytesIO(b64decode(found[0]))))).decode()
