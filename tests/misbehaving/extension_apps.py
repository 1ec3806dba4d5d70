"""Apps that send a message of an extension in the wrong form."""

import io
from pathlib import Path
from typing import Any

from tests.misbehaving.apps import END, START, breaks
from tests.misbehaving.http_apps import DEBUGGED, PUSHING, SENDING


@breaks("X2", scope=PUSHING)
async def pushes_a_path_of_bytes(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send({"type": "http.response.push", "path": b"/a.css", "headers": []})  # <- X2
    await send(END)


@breaks("X2", scope=PUSHING)
async def hints_links_of_text(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send({"type": "http.response.early_hint", "links": ["</a.css>"]})  # <- X2
    await send(END)


@breaks("X2", scope=SENDING)
async def sends_a_path_from_here(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send({"type": "http.response.pathsend", "path": "a.css"})  # <- X2


@breaks("X2", scope=SENDING)
async def sends_a_path_object(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send({"type": "http.response.pathsend", "path": Path("/a.css")})  # <- X2


@breaks("X2", scope=SENDING)
async def sends_no_path(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send({"type": "http.response.pathsend"})  # <- X2


@breaks("X2", scope=SENDING)
async def sends_a_file_in_memory(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send({"type": "http.response.zerocopysend", "file": io.BytesIO(b"a")})  # <- X2


@breaks("X2", scope=DEBUGGED)
async def debugs_without_a_dict(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.debug", "info": "a template"})  # <- X2
    await send(START)
    await send(END)
