"""`asgi-lab attach`: trace a server that runs already, until Ctrl-C."""

from typing import Any

from asgi_lab.adapters.order import SessionError, Wishes
from asgi_lab.attach.attachment import Attachment
from asgi_lab.commands import exports
from asgi_lab.commands.following import conclude, follow, read_wishes
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
        attachment = Attachment(pid, watcher, Wishes(**read_wishes(given)))
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
