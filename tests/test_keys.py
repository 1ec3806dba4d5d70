"""The arrow keys choose a request, and the terminal is put back afterwards."""

import io
import os
import pty
import queue
import termios

import pytest

from asgi_lab.view.keys import Keys


def test_keys_come_by_name_and_the_terminal_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    person, terminal = pty.openpty()
    with os.fdopen(terminal, "r") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        before = termios.tcgetattr(terminal)
        pressed: queue.Queue[str] = queue.Queue()
        keys = Keys(pressed.put)
        keys.start()
        for typed, name in ((b"\x1b[A", "up"), (b"j", "down"), (b"\x1b[F", "latest")):
            os.write(person, typed)
            assert pressed.get(timeout=10) == name
        keys.stop()
        assert termios.tcgetattr(terminal) == before
    os.close(person)


def test_without_a_terminal_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("k"))
    keys = Keys(pytest.fail)
    keys.start()
    keys.stop()
