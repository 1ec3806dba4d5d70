"""`--ui`: what is traced, seen in a browser while it happens, beside what the terminal shows."""

import os
import sys
import threading
import webbrowser
from collections.abc import Sequence

from asgi_lab.commands.watch import Silent
from asgi_lab.events import Event
from asgi_lab.view.live_page import LivePage


class WithPage(Silent):
    """A watcher beside a live page: both get all there is.

    Once the session has ended, `stay` keeps the page until Ctrl-C, `close` ends it.
    """

    layers = True

    def __init__(self, watcher: Silent, title: str) -> None:
        super().__init__()
        self._watcher = watcher
        self.page = LivePage(title)
        self.shown = watcher.shown
        self.measures = watcher.measures

    def begin(self, title: str) -> None:
        """Begin: the server is up; say where the page is, and open it if there is a screen."""
        self._watcher.begin(title)
        self.page.start()
        self._watcher.log(f"asgi-lab: live page at {self.page.url}")
        if has_screen():
            threading.Thread(target=webbrowser.open, args=(self.page.url,), daemon=True).start()

    def feed(self, events: Sequence[Event], dropped: int = 0) -> None:
        """Hand over the next events; inner layers only to who wants them."""
        self.page.feed(events, dropped)
        own = events if self._watcher.layers else [event for event in events if not event.layer]
        self._watcher.feed(own, dropped)

    def log(self, line: str) -> None:
        """Take a line that the server or the app printed."""
        self._watcher.log(line)

    def end(self) -> None:
        """End: the server has ended. The page stays, until it is closed."""
        self.page.end("the server has ended; this is what was seen")
        self._watcher.end()

    def stay(self) -> None:
        """Keep the page until Ctrl-C."""
        self._watcher.log(f"asgi-lab: the page stays at {self.page.url} until Ctrl-C")
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            pass
        self.close()

    def close(self) -> None:
        """End the page."""
        self.page.close()


def has_screen() -> bool:
    """Return whether a browser has a screen to open on: else it would open in this terminal."""
    if os.environ.get("BROWSER"):
        return True
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
