"""`asgi-lab attach`: trace a server that runs already, until Ctrl-C."""

from pathlib import Path
from typing import Any

from asgi_lab.adapters.order import SessionError
from asgi_lab.attach.attachment import Attachment, Wishes
from asgi_lab.commands import exports
from asgi_lab.commands.following import check_writable, conclude, follow
from asgi_lab.commands.output import fail, make_console, warn
from asgi_lab.commands.ui import WithPage
from asgi_lab.commands.watch import watcher_for


def run_attach(pid: int, **given: Any) -> int:
    """Attach, watch, detach, show; return the exit code."""
    console, output = make_console()
    try:
        exports.check(given)
        watcher = watcher_for(console, given)
        if given["ui"]:
            watcher = WithPage(watcher, f"process {pid}")
        attachment = Attachment(pid, watcher, read_wishes(given))
    except ValueError as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"cannot write {error.filename}: {error.strerror}")
    except SessionError as error:
        return fail(str(error))
    if isinstance(watcher, WithPage):
        watcher.page.header = attachment.header
    code, trouble = follow(
        attachment, output, watcher, lambda: attachment.title, attachment.wait, endless=True
    )
    code = conclude(attachment, console, watcher, given, code)
    if trouble:
        warn(trouble)
    if isinstance(watcher, WithPage):
        watcher.close()
    return code


def read_wishes(given: dict[str, Any]) -> Wishes:
    """Return what the options ask for. Raises `OSError` if the record cannot be written."""
    record = Path(given["record"]) if given["record"] else None
    if record is not None:
        check_writable(record)
    return Wishes(
        layers=not given["no_layers"],
        rules=not given["no_rules"],
        watchdog=given["watchdog"] or None,
        redact=not given["no_redact"],
        max_events=given["max_events"],
        record=record,
    )
