"""A trace for other people's tools: the Perfetto UI, OpenTelemetry's collectors, HAR viewers.

Each module has one function that takes a trace and where it is to go, and asks nothing else.
"""

import gzip
from pathlib import Path


class ExportError(ValueError):
    """What was to be exported did not arrive. The message says why, and what to do."""


def write_text(text: str, path: str | Path) -> None:
    """Write a file; compressed, if its name ends in `.gz`. Raises `OSError`."""
    file, data = Path(path), text.encode()
    file.write_bytes(gzip.compress(data, mtime=0) if file.suffix == ".gz" else data)
