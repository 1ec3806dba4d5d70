"""Static files: an app that answers each path with the file of that name, below one directory.

    app.mount("/static", StaticFiles("public"))

The path is the client's, and may try to lead out of the directory: by `..`, by a link, by a name
that means something to the system. So the real path of what is found must be below the real path
of the directory; nothing else is looked at.
"""

import asyncio
import os
from pathlib import Path

from asgi_lab.framework.exceptions import HTTPError
from asgi_lab.framework.files import FileResponse
from asgi_lab.framework.responses import RedirectResponse
from asgi_lab.framework.routing import reference, route_path
from asgi_lab.types import Receive, Scope, Send


class StaticFiles:
    """Serves a directory; with `html`, `index.html` for each folder in it.

    Raises ValueError if there is no such directory. A call raises HTTPError: 404, 405.
    """

    def __init__(self, directory: str | os.PathLike[str], *, html: bool = False) -> None:
        self.directory = Path(directory).resolve()
        self.html = html
        if not self.directory.is_dir():
            raise ValueError(f"there is no directory {os.fspath(directory)!r}")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file."""
        if scope["type"] != "http":
            raise HTTPError(404)
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPError(405, headers={"allow": "GET, HEAD"})
        path = route_path(scope)
        found = await asyncio.to_thread(self.find, path)
        if found is None:
            raise HTTPError(404)
        if found.name == "index.html" and not path.endswith(("/", "index.html")):
            # Without the slash the page's links would lead beside its folder.
            await RedirectResponse(reference(scope, f"{path}/"))(scope, receive, send)
            return
        try:
            await FileResponse(found)(scope, receive, send)
        except (FileNotFoundError, PermissionError):
            raise HTTPError(404) from None

    def find(self, path: str) -> Path | None:
        """Return the file of a path, or None. It touches the disk."""
        try:
            found = (self.directory / path.lstrip("/")).resolve()
            if self.html and found.is_dir():
                found = (found / "index.html").resolve()
            inside = found.is_relative_to(self.directory)
            return found if inside and found.is_file() else None
        except (OSError, ValueError):  # too long, or not a name: it has a NUL in it
            return None
