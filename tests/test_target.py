"""What people type, and get wrong: each mistake is one clear message, and exit code 2."""

from pathlib import Path

import pytest
from command import requests_of, run, run_trace

HELLO = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})
"""

FILES = {
    "main.py": HELLO,
    "other.py": HELLO.replace("app(", "my_api("),
    "pkg/__init__.py": "",
    "pkg/main.py": HELLO,
    "pkg/relative.py": "from .main import app",
    "folder with spaces/spaced.py": HELLO,
    "größe.py": HELLO,
    "greets.py": "print('hello from import')\n" + HELLO,
    "asks.py": "name = input('name? ')\n" + HELLO,
    "raises.py": "import json\ndef load():\n    return json.loads('{')\napp = load()\n",
    "needs.py": "import no_such_package\n",
    "needs_pkg.py": "import pkg.absent\n",
    "broken.py": "x = 1\napp = (\ndef f(): pass\n",
    "exits.py": "import sys\nprint('bye')\nsys.exit('no configuration')\n",
    "hidden/click.py": HELLO,
    "kinds.py": """
number, table = 3, {}
def four(a, b, c, d): ...
def create(): return app
def fails(): raise ValueError("no database")
def leaves(): raise SystemExit(3)
def forgets(): pass
async def app(scope, receive, send): ...
""",
}


@pytest.fixture(scope="session")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of everyday files, right and wrong; nothing is written to it."""
    folder = tmp_path_factory.mktemp("apps")
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("mian:app", "no module named 'mian' in {here}; did you mean main?"),
        ("nothing:app", "no module named 'nothing' in {here}"),
        ("pkg.mian:app", "no module named 'mian' in pkg; did you mean pkg.main?"),
        ("nowhere.main:app", "no module named 'nowhere' in {here}"),
        ("main.sub:app", "no module named 'sub' in main: that is a file, not a package"),
        ("main:ap", "main has no attribute 'ap'; did you mean app?"),
        ("main:app.router", "main has no attribute 'app.router'; did you mean app?"),
        ("other:application", "other has no attribute 'application'; did you mean my_api?"),
        ("other", "nor `application`: name the attribute; did you mean other:my_api?"),
        ("pkg", "name the attribute; did you mean pkg.main:app?"),
        ("pkg:app", "pkg has no attribute 'app'; did you mean pkg.main:app?"),
        ("main app", "expected MODULE:ATTRIBUTE, as in main:app, or a file, as in main.py; got"),
        ("", "expected MODULE:ATTRIBUTE, as in main:app, or a file, as in main.py; got ''"),
        ("nope.py", "no such file: nope.py"),
        ("mian.py", "no such file: mian.py; did you mean main.py?"),
        ("pkg/mian.py:app", "no such file: pkg/mian.py; did you mean main.py?"),
        ("hidden/click.py", "click.py is hidden by another module named click"),
        ("kinds:number", "kinds:number is an int, not an app: expected an ASGI app (scope, rec"),
        ("kinds:table", "kinds:table is a dict, not an app"),
        ("kinds:four", "is a function, not an app"),
        ("kinds:create", "(environ, start_response). If it returns the app, add --factory"),
        ("kinds:number --factory", "--factory needs a callable; kinds:number is an int"),
        ("kinds:forgets --factory", "what the factory kinds:forgets returned is a NoneType, not"),
        ("kinds:app --factory", "TypeError: app() missing 3 required positional arguments"),
    ],
)  # fmt: skip
def test_one_line_says_what_is_wrong(here: Path, target: str, message: str) -> None:
    name, *option = target.split(" --")
    command = run("trace", name, *[f"--{o}" for o in option], "-r", "GET /", cwd=here)
    assert command.process.returncode == 2
    assert message.format(here=here) in command.stderr
    assert command.stderr.startswith("asgi-lab: ")
    assert "Traceback" not in command.stderr
    assert command.stdout == ""


@pytest.mark.parametrize(
    ("target", "lines"),
    [
        (
            "raises:app",
            """\
asgi-lab: raises failed while it was imported:

Traceback (most recent call last):
  File "{here}/raises.py", line 4, in <module>
    app = load()
          ^^^^^^
  File "{here}/raises.py", line 3, in load
    return json.loads('{{')
           ^^^^^^^^^^^^^^^
  … 3 frames of libraries
json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: \
line 1 column 2 (char 1)""",
        ),
        (
            "needs",
            """\
asgi-lab: needs failed while it was imported:

Traceback (most recent call last):
  File "{here}/needs.py", line 1, in <module>
    import no_such_package
ModuleNotFoundError: No module named 'no_such_package'""",
        ),
        (
            "needs_pkg",
            """\
asgi-lab: needs_pkg failed while it was imported:

Traceback (most recent call last):
  File "{here}/needs_pkg.py", line 1, in <module>
    import pkg.absent
ModuleNotFoundError: No module named 'pkg.absent'""",
        ),
        (
            "broken.py",
            """\
asgi-lab: broken failed while it was imported:

  File "{here}/broken.py", line 2
    app = (
          ^
SyntaxError: '(' was never closed""",
        ),
        (
            "exits:app",
            """\
bye
asgi-lab: exits exited while it was imported:

Traceback (most recent call last):
  File "{here}/exits.py", line 3, in <module>
    sys.exit('no configuration')
SystemExit: no configuration""",
        ),
        (
            "asks:app",
            """\
name?\x20
asgi-lab: asks failed while it was imported:

Traceback (most recent call last):
  File "{here}/asks.py", line 1, in <module>
    name = input('name? ')
           ^^^^^^^^^^^^^^^
EOFError: EOF when reading a line""",
        ),
        (
            "kinds:fails --factory",
            """\
asgi-lab: the factory kinds:fails failed:

Traceback (most recent call last):
  File "{here}/kinds.py", line 5, in fails
    def fails(): raise ValueError("no database")
                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
ValueError: no database""",
        ),
    ],
    ids=["raises", "needs", "needs_pkg", "broken", "exits", "asks", "factory"],
)
def test_their_traceback_ends_at_their_line(here: Path, target: str, lines: str) -> None:
    name, *option = target.split(" --")
    command = run("trace", name, *[f"--{o}" for o in option], "-r", "GET /", cwd=here)
    assert command.process.returncode == 2
    # A caret line more or less: newer Pythons leave them out where they say nothing.
    said = [line for line in command.stderr.splitlines() if line.strip("^~ ") or not line]
    assert said == [
        line for line in lines.format(here=here).splitlines() if line.strip("^~ ") or not line
    ]


@pytest.mark.parametrize("server", ["hypercorn", "daphne", "granian", "gunicorn"])
@pytest.mark.parametrize("workers", [1, 2])
def test_no_server_adds_words_of_its_own(here: Path, server: str, workers: int) -> None:
    if (server, workers) == ("daphne", 2):
        pytest.skip("Daphne has no workers")
    options = ["--server", server, *(["--workers", workers] if workers > 1 else [])]
    command = run("trace", "mian:app", *options, "-r", "GET /", cwd=here)
    assert command.process.returncode == 2
    assert command.stderr.startswith(f"asgi-lab: no module named 'mian' in {here}")
    assert command.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("main:app", []),
        ("main", []),
        ("main:", []),
        ("main.py", []),
        ("./main.py:app", []),
        ("other:my_api", []),
        ("pkg.main:app", []),
        ("pkg/main.py", []),
        ("pkg/main.py:app", []),
        ("pkg/relative.py", []),
        ("pkg.relative", []),
        ("spaced:app", ["--app-dir", "folder with spaces"]),
        ("spaced.py", ["--app-dir", "folder with spaces"]),
        ("folder with spaces/spaced.py", []),
        ("größe:app", []),
        ("größe.py", []),
        ("kinds:create", ["--factory"]),
    ],
)
def test_targets_that_are_found(here: Path, target: str, options: list[str]) -> None:
    report = run_trace(target, *options, "-r", "GET /", cwd=here)
    if target == "kinds:create":
        assert requests_of(report) == [("/", None, "returned")]
    else:
        assert requests_of(report) == [("/", 200, "returned")]


def test_what_is_printed_on_import_goes_to_stderr(here: Path) -> None:
    command = run("trace", "greets", "-r", "GET /", cwd=here)
    assert command.process.returncode == 0
    assert "hello from import\n" in command.stderr
    assert "hello from import" not in command.stdout


def test_a_file_of_a_servers_name_is_not_taken_for_the_server(tmp_path: Path) -> None:
    (tmp_path / "uvicorn.py").write_text("raise SystemExit('not me')")
    (tmp_path / "main.py").write_text(HELLO)
    start = ["-P", "-m", "asgi_lab"]  # as the command `asgi-lab` starts: without this folder
    assert requests_of(run_trace("main", "-r", "GET /", cwd=tmp_path, start=start))
