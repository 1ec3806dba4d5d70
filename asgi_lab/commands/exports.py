"""What a trace can be written to beside the screen: pages, pictures, other tools' formats.

Checked before anything is served, so that no trace is lost to a name misspelt; written last, each
by itself, so that one that fails takes no other with it.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from asgi_lab.commands.output import USAGE, warn
from asgi_lab.events import Trace
from asgi_lab.scene import Scene

Given = Mapping[str, Any]
Write = Callable[[Trace, str, Given], None]


class Export(NamedTuple):
    """One: what must be installed for it and how, what it makes, and what makes it."""

    package: str
    extra: str
    made: str
    write: Write


def _html(trace: Trace, target: str, given: Given) -> None:
    from asgi_lab.view.html import write_html

    write_html(trace, target)


def _picture(trace: Trace, target: str, given: Given) -> None:
    from asgi_lab.view.display import of_trace

    view = given.get("view")
    name = view if view in PICTURES else "timeline"
    of_trace(trace, name, given.get("conn")).save(target)


def _perfetto(trace: Trace, target: str, given: Given) -> None:
    from asgi_lab.export.perfetto import write_perfetto

    write_perfetto(trace, target)


def _har(trace: Trace, target: str, given: Given) -> None:
    from asgi_lab.export.har import write_har

    write_har(trace, target)


def _otlp(trace: Trace, target: str, given: Given) -> None:
    from asgi_lab.export.otlp import send_otlp

    send_otlp(trace, target)


PICTURES = ("timeline", "sequence", "layers", "concurrency", "states")

EXPORTS = {
    "html": Export("", "", "the page is in", _html),
    "svg": Export("matplotlib", "notebooks", "the picture is in", _picture),
    "png": Export("matplotlib", "notebooks", "the picture is in", _picture),
    "perfetto": Export("", "", "for the Perfetto UI:", _perfetto),
    "har": Export("", "", "the HTTP archive is in", _har),
    "otlp": Export("opentelemetry.exporter.otlp.proto.http", "otel", "spans sent to", _otlp),
}
"""Every export, by the name of its option."""


def asked(given: Given) -> Iterator[tuple[str, str, Export]]:
    """Yield the exports that are asked for: the option's name, its target, the export."""
    for name, export in EXPORTS.items():
        if target := given.get(name):
            yield name, str(target), export


def check(given: Given) -> None:
    """Raise `ValueError` for what cannot be written, before anything is traced."""
    for name, target, export in asked(given):
        if export.package and not _installed(export.package):
            raise ValueError(
                f"--{name} needs {export.package.partition('.')[0]}: "
                f"pip install 'asgi-lab[{export.extra}]'"
            )
        if name == "otlp":
            _check_url(target)
        else:
            _check_file(name, target)


def write(trace: Trace, given: Given) -> int:
    """Write all that is asked for, and say where it is; return the exit code."""
    code = 0
    for name, target, export in asked(given):
        try:
            export.write(trace, target, given)
        except OSError as error:
            warn(f"cannot write --{name} {target}: {error.strerror or error}")
            code = USAGE
        except (ValueError, ImportError) as error:
            warn(f"--{name} {target}: {error}")
            code = USAGE
        else:
            warn(f"{export.made} {target}")
    return code


def write_scene(scene: Scene, given: Given) -> int:
    """Write the pictures that are asked for of a scene; return the exit code."""
    from asgi_lab.view.figure import save

    code = 0
    for name, target, _ in asked(given):
        try:
            save(scene, target)
        except OSError as error:
            warn(f"cannot write --{name} {target}: {error.strerror or error}")
            code = USAGE
        else:
            warn(f"the picture is in {target}")
    return code


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"--otlp expects a URL such as http://localhost:4318, got {url!r}")


def _check_file(name: str, target: str) -> None:
    file = Path(target)
    if name in ("svg", "png") and file.suffix.lower() != f".{name}":
        raise ValueError(f"--{name} expects a file that ends in .{name}, got {target!r}")
    folder = file.parent
    if file.is_dir() or not folder.is_dir():
        what = "is a folder" if file.is_dir() else f"{folder} is no folder"
        raise ValueError(f"cannot write --{name} {target}: {what}")
    if not os.access(file if file.exists() else folder, os.W_OK):
        raise ValueError(f"cannot write --{name} {target}: permission denied")
