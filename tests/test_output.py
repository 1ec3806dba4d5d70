"""Tracebacks in what a server prints: cut to the user's frames, and nothing else is touched."""

import sysconfig
import traceback
from pathlib import Path

import pytest

from asgi_lab.adapters.output import ShortTracebacks

LIBRARY = f"{sysconfig.get_paths()['stdlib']}/json/decoder.py"
PACKAGE = "/venv/lib/python3.11/site-packages/starlette/routing.py"


def short(text: str) -> str:
    lines: list[str] = []
    output = ShortTracebacks(lines.append)
    for line in text.splitlines():
        output.line(line)
    output.end()
    return "\n".join(lines)


def printed(source: str, tmp_path: Path) -> str:
    """The traceback of a program, cut."""
    path = tmp_path / "main.py"
    path.write_text(source)
    try:
        exec(compile(source, str(path), "exec"), {})
    except BaseException as error:
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
        text = "".join(traceback.format_exception(error))
    return short(text).replace(str(tmp_path), "")


def test_frames_of_libraries_are_counted() -> None:
    text = f"""\
ERROR:    Exception in ASGI application
Traceback (most recent call last):
  File "{PACKAGE}", line 74, in app
    await response(scope,
    ^^^^^^^^^^^^^^^^^^^^^
  File "{PACKAGE}", line 80, in run
    return await call()
  File "/home/me/main.py", line 3, in show
    return parse(
           ^^^^^^
  File "{LIBRARY}", line 9, in decode
    raise error
  [Previous line repeated 3 more times]
ValueError: no
INFO:     GET / 500"""
    assert (
        short(text)
        == """\
ERROR:    Exception in ASGI application
Traceback (most recent call last):
  … 2 frames of libraries
  File "/home/me/main.py", line 3, in show
    return parse(
           ^^^^^^
  … 1 frame of libraries
ValueError: no
INFO:     GET / 500"""
    )


def test_a_traceback_of_libraries_alone_keeps_its_last_frame() -> None:
    text = f"""\
Traceback (most recent call last):
  File "{PACKAGE}", line 1, in first
    one()
  File "{PACKAGE}", line 2, in second
    two()
    ^^^^^
RuntimeError: deep"""
    assert (
        short(text)
        == f"""\
Traceback (most recent call last):
  … 1 frame of libraries
  File "{PACKAGE}", line 2, in second
    two()
    ^^^^^
RuntimeError: deep"""
    )


def test_chained(tmp_path: Path) -> None:
    source = """
import json
try:
    json.loads("{")
except ValueError as error:
    raise KeyError("x") from error
"""
    lines = printed(source, tmp_path).splitlines()
    assert [line for line in lines if "^" not in line] == [
        "Traceback (most recent call last):",
        '  File "/main.py", line 4, in <module>',
        '    json.loads("{")',
        "  … 3 frames of libraries",
        "json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: "
        "line 1 column 2 (char 1)",
        "",
        "The above exception was the direct cause of the following exception:",
        "",
        "Traceback (most recent call last):",
        '  File "/main.py", line 6, in <module>',
        '    raise KeyError("x") from error',
        "KeyError: 'x'",
    ]


def test_exception_groups_keep_their_bars(tmp_path: Path) -> None:
    source = """
import json
errors = []
for text in ("{", "["):
    try:
        json.loads(text)
    except ValueError as error:
        errors.append(error)
raise ExceptionGroup("many", [ExceptionGroup("inner", errors), KeyError("y")])
"""
    text = printed(source, tmp_path)
    lines = [line for line in text.splitlines() if "^" not in line]
    assert lines[:5] == [
        "  + Exception Group Traceback (most recent call last):",
        '  |   File "/main.py", line 9, in <module>',
        '  |     raise ExceptionGroup("many", [ExceptionGroup("inner", errors), KeyError("y")])',
        "  | ExceptionGroup: many (2 sub-exceptions)",
        "  +-+---------------- 1 ----------------",
    ]
    assert text.count("    |   … 3 frames of libraries") == 2
    assert "    | ExceptionGroup: inner (2 sub-exceptions)" in lines
    assert "      | json.decoder.JSONDecodeError" in text
    assert "json/decoder.py" not in text
    assert lines[-3:] == [
        "    +---------------- 2 ----------------",
        "    | KeyError: 'y'",
        "    +------------------------------------",
    ]


def test_a_syntax_error_shows_its_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("x = (1,")
    text = printed(f"compile('x = (1,', {str(path)!r}, 'exec')", tmp_path)
    assert text.splitlines()[-4:] == [
        '  File "/broken.py", line 1',
        "    x = (1,",
        "        ^",
        "SyntaxError: '(' was never closed",
    ]


def test_a_recursion(tmp_path: Path) -> None:
    text = printed("def f():\n    f()\nf()\n", tmp_path)
    assert "  [Previous line repeated " in text
    assert text.endswith("RecursionError: maximum recursion depth exceeded")


@pytest.mark.parametrize(
    "text",
    [
        f'  File "{LIBRARY}", line 3, in decode',
        f'see:\n  File "{LIBRARY}", line 3, in decode\n    indented\n      more',
        "    ^^^^ look here\n  | a | table |\n  + one\n",
        "Traceback of the customer's order\n    item 1\n    item 2",
        "Traceback (most recent call last): said the book\n    and went on",
        'Fatal Python error: Segmentation fault\n\n  File "/usr/lib/python3.11/x.py", line 3 in f',
        "",
    ],
)
def test_other_lines_are_never_held_back(text: str) -> None:
    assert short(text) == "\n".join(text.splitlines())


def test_lines_of_others_in_the_middle_of_a_traceback_are_passed_on() -> None:
    """Two workers may print at once; then rather a frame too many than a line too few."""
    text = f"""\
Traceback (most recent call last):
  File "{PACKAGE}", line 1, in first
INFO: of another worker
    one()
  File "{PACKAGE}", line 2, in second
    two()
RuntimeError: deep"""
    cut = short(text).splitlines()
    assert [line for line in text.splitlines() if line not in cut] == []


def test_a_traceback_that_is_cut_off_says_what_was_hidden() -> None:
    text = f"""\
Traceback (most recent call last):
  File "/home/me/main.py", line 3, in show
    run()
  File "{PACKAGE}", line 1, in first"""
    assert short(text).endswith("    run()\n  … 1 frame of libraries")


def test_endless_indented_lines_are_not_taken_for_source() -> None:
    lines = ["Traceback (most recent call last):", f'  File "{PACKAGE}", line 1, in first']
    lines += [f"    {number}" for number in range(100)]
    assert short("\n".join(lines)).count("\n") > 85
