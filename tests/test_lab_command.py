"""`asgi-lab lab`: a learner's copy of the course, which nobody writes over."""

import json
import signal
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from asgi_lab.adapters.process import free_port
from asgi_lab.lesson import copying
from asgi_lab.lesson.copying import Copied, copy_course, original
from asgi_lab.lesson.course import find_course
from tests.answers import COURSE
from tests.command import PATIENCE, Command, knocks, run

ECHO = "exercises/05_scope_receive_send/1_echo.py"


def tree(folder: Path) -> set[str]:
    return {f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file()}


def test_the_course_is_copied_to_where_the_learner_is(tmp_path: Path) -> None:
    told = run("lab", "--copy-only", cwd=tmp_path)
    assert told.process.returncode == 0, told.stderr
    course = tmp_path / "asgi-lab-course"
    names = tree(course) - {copying.NOTE}
    assert told.stdout == f"{len(names)} files of the course copied to asgi-lab-course\n"
    assert {ECHO, "notebooks/05_scope_receive_send.ipynb"} <= names
    assert not {name for name in names if name.startswith("solutions/")}
    for name in names:
        assert (course / name).read_bytes() == (COURSE / name).read_bytes()
    chapters = {path.stem for path in (COURSE / "notebooks").glob("[0-9]*.ipynb")}
    assert not {f"notebooks/{stem}.py" for stem in chapters} & names
    assert run("lab", "--copy-only", cwd=tmp_path).stdout == ""
    assert run("lab", "--copy-only", cwd=course / "notebooks").stdout == ""
    assert tree(course) - {copying.NOTE} == names, "from within, it is the same course"
    told = run("check", "05.1", cwd=course)
    assert "the TODO is still open" in told.stdout


def test_solutions_are_copied_on_request(tmp_path: Path) -> None:
    run("lab", tmp_path / "here", "--copy-only", "--solutions", cwd=tmp_path)
    assert (tmp_path / "here/solutions/05_scope_receive_send/1_echo.py").is_file()
    assert find_course(tmp_path / "here/solutions") == tmp_path / "here"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package with a course in it."""
    bundled = tmp_path / "package"
    for name in ("notebooks/00_first.ipynb", "notebooks/00_first.py", "exercises/00_first/1_a.py"):
        (bundled / name).parent.mkdir(parents=True, exist_ok=True)
        (bundled / name).write_text("one")
    monkeypatch.setattr(copying, "BUNDLED", bundled)
    return bundled


def test_what_the_learner_has_changed_is_left_alone(tmp_path: Path, package: Path) -> None:
    mine = tmp_path / "mine"
    assert copy_course(mine).new == ["notebooks/00_first.ipynb", "exercises/00_first/1_a.py"][::-1]
    assert copy_course(mine) == Copied()
    (mine / "exercises/00_first/1_a.py").write_text("my own")
    assert copy_course(mine) == Copied(), "there is nothing newer"
    (package / "exercises/00_first/1_a.py").write_text("two")
    (package / "notebooks/00_first.ipynb").write_text("two")
    again = copy_course(mine)
    assert again == Copied(renewed=["notebooks/00_first.ipynb"], left=["exercises/00_first/1_a.py"])
    assert (mine / "exercises/00_first/1_a.py").read_text() == "my own"
    assert (mine / "notebooks/00_first.ipynb").read_text() == "two"
    assert copy_course(mine).left == ["exercises/00_first/1_a.py"], "and says so each time"
    (mine / "exercises/00_first/1_a.py").unlink()
    assert copy_course(mine).new == ["exercises/00_first/1_a.py"]


@pytest.mark.parametrize("note", ["", "[]", "{", '{"exercises/00_first/1_a.py": 3}'])
def test_without_a_note_all_that_differs_is_the_learners(
    tmp_path: Path, package: Path, note: str
) -> None:
    mine = tmp_path / "mine"
    copy_course(mine)
    (mine / copying.NOTE).write_text(note)
    (package / "exercises/00_first/1_a.py").write_text("two")
    assert copy_course(mine).left == ["exercises/00_first/1_a.py"]


def test_a_checkout_is_not_copied_onto_itself() -> None:
    assert original() == COURSE
    assert copy_course(COURSE) == Copied()
    assert not (COURSE / copying.NOTE).exists()


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "course").mkdir()
    (tmp_path / "course/exercises").write_text("a file where a folder belongs")
    told = run("lab", "course", "--copy-only", cwd=tmp_path)
    assert told.process.returncode == 2
    assert "cannot copy the course to " in told.stderr
    assert "Traceback" not in told.stderr
    (tmp_path / "file").write_text("")
    told = run("lab", "file", "--copy-only", cwd=tmp_path)
    assert told.process.returncode == 2


def contents(address: str) -> Any:
    """Ask a server that is about to listen."""
    for _ in knocks(PATIENCE):
        try:
            with urllib.request.urlopen(address) as answer:
                return json.load(answer)
        except urllib.error.URLError:
            continue
    raise AssertionError(address)


def test_jupyterlab_opens_the_first_chapter(tmp_path: Path) -> None:
    pytest.importorskip("jupyterlab", reason="jupyterlab is not installed")
    own: dict[str, Any] = {
        f"JUPYTER_{name}": str(tmp_path / name)
        for name in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
    }
    port = free_port("127.0.0.1", 0)
    more = (
        "--",
        "--allow-root",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--IdentityProvider.token=secret",
    )
    with Command("lab", "--no-browser", *more, cwd=tmp_path, **own) as lab:
        lab.wait_for("files of the course copied to asgi-lab-course")
        url = lab.wait_for(r"(http://127\.0\.0\.1:\d+)/lab/tree/(\S+)\?token=")
        assert url[2].startswith("notebooks/00_")
        assert contents(f"{url[1]}/api/contents/{url[2]}?token=secret")["type"] == "notebook"
        lab.signal(signal.SIGTERM)
        lab.finish()


def test_without_jupyterlab_it_says_what_to_install(tmp_path: Path) -> None:
    script = (
        "import sys, importlib.util as util; find = util.find_spec; "
        "util.find_spec = lambda name, *more: None if name == 'jupyterlab' else find(name, *more); "
        "from asgi_lab.cli import main; main(['lab'])"
    )
    with Command("-c", script, cwd=tmp_path, program=sys.executable, start=()) as told:
        assert told.finish() == 2
    assert "JupyterLab is not installed: pip install 'asgi-lab[course]'" in told.stderr
