"""Letters: how wide words are, and which the font has."""

from functools import lru_cache

from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.textpath import text_to_path

from asgi_lab.plain import clean

FONT = "DejaVu Sans"
"""It comes with matplotlib, and has the glyphs that we use."""


@lru_cache(maxsize=4096)
def width_of(words: str, bold: bool) -> float:
    """Return the width of words, in em."""
    font = FontProperties(family=FONT, weight="bold" if bold else "normal", size=100)
    return float(text_to_path.get_text_width_height_descent(words, font, False)[0]) / 100


@lru_cache(maxsize=4096)
def printable(words: str) -> str:
    """Return words without what the font does not have."""
    words = clean(words)
    if words.isascii():
        return words
    font = get_font(findfont(FontProperties(family=FONT)))
    return "".join(c if font.get_char_index(ord(c)) else "□" for c in words)


def shorten(words: str, many: int) -> str:
    """Return words of which so many letters are left, from both ends."""
    head = (many + 1) // 2
    return f"{words[:head]}…{words[len(words) - (many - head) :]}" if many < len(words) else words
