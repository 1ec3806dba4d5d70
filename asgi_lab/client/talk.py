"""Following the script of a WebSocket, whatever carries it: a socket or memory.

The steps are taken in order. What comes in meanwhile is noted as it comes; `expect` takes the
earliest message that has not been expected yet.
"""

import asyncio
from collections import deque
from typing import Protocol

from asgi_lab.client.door import HungUp
from asgi_lab.client.result import Progress
from asgi_lab.client.steps import Close, Expect, Pause, Step, quoted


class Line(Protocol):
    """An open WebSocket, from the client's side."""

    def send(self, message: str | bytes) -> None:
        """Send a message; nothing happens if the line is closed."""

    def close(self, code: int, reason: str) -> None:
        """Send a close frame; nothing happens if the line is closed."""

    async def next(self) -> str | bytes | None:
        """Return the next message, noted in `Progress`; None once the line is closed.

        Raises Lost if it was closed without a close frame. Nothing is lost by cancelling.
        """


class Unexpected(ValueError):
    """The server said something else than the script expects."""


async def talk(line: Line, progress: Progress, quiet: float) -> None:
    """Hold the whole conversation on a line just opened, until it is closed.

    A script without `expect` and `close` ends when nothing has come for `quiet` seconds. Raises
    Unexpected, after closing politely; HungUp; and Lost.
    """
    await _Talk(line, progress, quiet).hold()


class _Talk:
    def __init__(self, line: Line, progress: Progress, quiet: float) -> None:
        self._line = line
        self._progress = progress
        self._quiet = quiet
        self._unexpected: deque[str | bytes] = deque()
        self._rested = 0.0
        """Until when a slow reader is busy with what it has read, in seconds of the loop."""

    async def hold(self) -> None:
        steps, wrong = self._progress.request.messages, None
        try:
            for step in steps:
                await self._take(step)
            if not any(isinstance(step, Expect | Close) for step in steps):
                await self._listen(self._quiet, keep=False)
        except Unexpected as error:
            wrong = error
        self._line.close(1000, "")
        while await self._hear() is not None:
            pass
        if wrong is not None:
            raise wrong

    async def _take(self, step: Step) -> None:
        match step:
            case Expect():
                await self._expect(step)
            case Pause(seconds):
                await self._listen(seconds, keep=True)
            case Close(code, reason):
                self._line.close(code, reason)
            case _:
                self._line.send(step)

    async def _expect(self, step: Expect) -> None:
        message = self._unexpected.popleft() if self._unexpected else await self._hear()
        if message is None:
            raise Unexpected(f"expected {_shown(step)}, got close {self._progress.close_code}")
        if step.message is not None and message != step.message:
            raise Unexpected(f"expected {_shown(step)}, got {quoted(message)}")

    async def _listen(self, seconds: float, keep: bool) -> None:
        """Take in what comes for so many seconds; or until so long after the last message."""
        time = asyncio.get_running_loop().time
        until = time() + seconds
        while True:
            try:
                async with asyncio.timeout_at(until) as silence:
                    message = await self._hear()
            except TimeoutError:
                if silence.expired():
                    return
                raise  # the operating system's: the connection itself timed out
            if message is None:
                return
            if keep:
                self._unexpected.append(message)
            else:
                until = time() + seconds

    async def _hear(self) -> str | bytes | None:
        """Return the next message as the client reads it: at its rate, or to its limit."""
        request = self._progress.request
        time = asyncio.get_running_loop().time
        if (busy := self._rested - time()) > 0:
            await asyncio.sleep(busy)
        message = await self._line.next()
        if message is not None:
            if request.read_rate:
                self._rested = time() + len(message) / request.read_rate
            enough = request.hang_up and request.hang_up.bytes
            if enough and self._progress.received >= enough:
                raise HungUp
        return message


def _shown(step: Expect) -> str:
    return "a message" if step.message is None else quoted(step.message)
