"""How durations, sizes and counts are written, and what others wrote, made safe to print.

Nothing that comes from a client or an app reaches a terminal raw: `clean` escapes what does not
print.
"""


def duration(ns: int | float) -> str:
    """Return nanoseconds in three digits and a unit: `812 µs`, `12.3 ms`, `1.02 s`, `3 min 5 s`."""
    if ns < 0:
        return "-" + duration(-ns)
    if ns < 1:
        return "0 µs"
    if ns >= 120e9:
        minutes, seconds = divmod(round(ns / 1e9), 60)
        return f"{minutes} min {seconds} s"
    if ns < 1000:
        return f"{ns:.0f} ns"
    for unit, size in (("µs", 1e3), ("ms", 1e6)):
        if float(digits := _three(ns / size)) < 1000:
            return f"{digits} {unit}"
    return f"{_three(ns / 1e9)} s"


def size(count: int | float) -> str:
    """Return a number of bytes in three digits and a decimal unit: `13 B`, `1.23 MB`."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{int(value)} B" if unit == "B" else f"{_three(value)} {unit}"
        value /= 1000
    return f"{_three(value)} TB"


def _three(value: float) -> str:
    """Return a number with three significant digits."""
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else f"{value:.0f}"


def count(number: int, noun: str) -> str:
    """Return a number with thousands separated and its noun: `1 request`, `1,234 requests`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def clean(text: object) -> str:
    r"""Return a text in which all that does not print is escaped: `\x1b`, `\n`, `\u202e`."""
    text = text if isinstance(text, str) else str(text)
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


def shorten(text: str, width: int, where: str = "end") -> str:
    """Return `text` in at most `width` characters, an ellipsis at its `end` or `middle`."""
    if len(text) <= width:
        return text
    if where == "end" or width < 5:
        return text[: max(width - 1, 0)] + "…"
    tail = (width - 1) // 2
    return text[: width - 1 - tail] + "…" + text[len(text) - tail :]
