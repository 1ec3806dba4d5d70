"""The chapters as files: how they are written, and that their outputs are fit to be read anywhere.

That they run, and come out to the letter as they are kept, is for `make notebooks-check`.
"""

import ast
import re
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from asgi_lab.lesson.course import choose, find_course
from asgi_lab.view.display import PNG, TEXT, WIDGET

nbformat = pytest.importorskip("nbformat")
notebooks = pytest.importorskip("asgi_lab.lesson.authoring.notebooks")

COURSE = find_course(Path(__file__).parent)
CHAPTERS = sorted((COURSE / "notebooks").glob("[0-9]*_*.py"))
SLUG = re.compile(r"\d\d_[a-z][a-z0-9_]*")

LINES, USUAL, ALL = 25, 5, 200
"""Lines of code: of one cell, of half of the cells, of a chapter; at most."""

OURS = re.compile(
    r"0x[0-9a-f]{6,}|/(home|root|tmp|work|usr|Users)/|site-packages|ipykernel_\d"
    r"|(127\.0\.0\.1|localhost):(?!8000\b)\d{4,}|\b20\d\d-\d\d-\d\d"
)
"""What differs from machine to machine, and from day to day."""

PICTURES = re.compile(r"\.(timeline|sequence|states|layers|concurrency)\([^()]*\)$|^explore_?\w*\(")
"""How a cell ends whose output is a picture."""

LINK = re.compile(r"\]\(([^)\s]+)\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
FILE = re.compile(r"`((?:asgi_lab|exercises|solutions|notebooks)/[\w./]*)`")


BOOKS = [*CHAPTERS, COURSE / "notebooks/glossary.py"]


@pytest.fixture(params=BOOKS, ids=[path.stem for path in BOOKS])
def source(request: Any) -> Path:
    path: Path = request.param
    return path


@pytest.fixture
def book(source: Path) -> Any:
    """The notebook as it is kept."""
    return nbformat.read(source.with_suffix(".ipynb"), as_version=4)


def code(book: Any) -> list[Any]:
    return [cell for cell in book.cells if cell.cell_type == "code"]


def prose(book: Any) -> str:
    return "\n\n".join(cell.source for cell in book.cells if cell.cell_type == "markdown")


def outputs(book: Any) -> list[tuple[Any, Any]]:
    return [(cell, output) for cell in code(book) for output in cell.outputs]


def test_every_chapter_has_its_source_and_its_notebook() -> None:
    kept = {path.stem for path in (COURSE / "notebooks").glob("[0-9]*.ipynb")}
    assert kept == {path.stem for path in CHAPTERS}
    assert all(SLUG.fullmatch(name) for name in kept)
    numbers = [name[:2] for name in sorted(kept)]
    assert len({*numbers}) == len(numbers)


def test_it_is_made_of_its_source(source: Path, book: Any) -> None:
    """After a change: `python -m asgi_lab.lesson.authoring.notebooks 05`."""
    made = notebooks.made(source)
    assert [(c.cell_type, c.source) for c in book.cells] == [
        (c.cell_type, c.source) for c in made.cells
    ]
    assert [c["id"] for c in book.cells] == [c["id"] for c in made.cells]
    assert len({c["id"] for c in book.cells}) == len(book.cells)


def test_its_cells_are_small_and_the_first_only_imports(book: Any) -> None:
    first, *_ = cells = code(book)
    kinds = {type(statement) for statement in ast.parse(first.source).body}
    assert kinds <= {ast.Import, ast.ImportFrom}
    lengths = [len(cell.source.splitlines()) for cell in cells]
    assert max(lengths) <= LINES
    assert median(lengths) <= USUAL
    assert sum(lengths) <= ALL
    assert not any("asyncio.run(" in cell.source for cell in cells), "await works in a cell"


def test_it_begins_by_saying_what_one_needs_builds_and_how_long_it_takes(
    source: Path, book: Any
) -> None:
    head = book.cells[0].source
    assert head.startswith(f"# {source.stem[:2]} · " if source in CHAPTERS else "# Glossary")
    for word in ("You need", "You build", "Time"):
        assert word in head


def test_it_ran_from_top_to_bottom_without_an_error(book: Any) -> None:
    assert [cell.execution_count for cell in code(book)] == [*range(1, len(code(book)) + 1)]
    for cell, output in outputs(book):
        assert output.output_type != "error", cell.source
        assert output.get("name") != "stderr", output.get("text")


def test_its_outputs_are_the_same_everywhere(book: Any) -> None:
    for cell, output in outputs(book):
        text = str(output.get("text") or output.get("data", {}).get(TEXT) or "")
        assert not OURS.search(text), (cell.source, text)
    for cell in book.cells:
        assert not OURS.search(cell.source), cell.source


def test_its_pictures_are_there_for_everybody(book: Any) -> None:
    """For who trusts nothing, who sees nothing, and who has no kernel."""
    for cell, output in outputs(book):
        data, about = output.get("data", {}), output.get("metadata", {})
        assert WIDGET not in data, cell.source
        if PNG in data:
            assert data[TEXT].strip(), cell.source
            assert not data[TEXT].startswith("<"), "a text, not the repr of a figure"
            assert len(about[PNG]["alt"]) > 20, cell.source
    for cell in code(book):
        if PICTURES.search(cell.source.strip().rpartition("\n")[2]):
            assert any(PNG in output.get("data", {}) for output in cell.outputs), cell.source


def test_its_links_lead_somewhere(source: Path, book: Any) -> None:
    text = prose(book)
    for link in [a or b for a, b in LINK.findall(text)]:
        path, _, place = link.partition("#")
        if path.startswith("https://"):
            continue
        target = source.parent / path if path else source.with_suffix(".ipynb")
        assert target.exists(), f"{source.name} links to {link}"
        if place:
            there = prose(nbformat.read(target, as_version=4))
            headings = {anchor(each) for each in re.findall(r"^#+ (.*)$", there, re.MULTILINE)}
            assert anchor(place) in headings, f"{source.name} links to {link}"
    for name in FILE.findall(text):
        assert (COURSE / name).exists(), f"{source.name} speaks of {name}"


def anchor(text: str) -> str:
    """What a heading is linked by, but for what front ends differ in."""
    return re.sub(r"\W+", "-", text.lower()).strip("-")


def test_the_exercises_it_checks_exist(source: Path, book: Any) -> None:
    for cell in code(book):
        for id in re.findall(r'\b(?:check|hint)\("(\d\d\.\d+)"', cell.source):
            assert len(choose(COURSE, id)) == 1
            assert id.startswith(source.stem[:2])


SPOKEN = """
    API, ASGI, ASGI application, Apache, Asynchronous, BlackSheep, Blocking, Bottle, Callable,
    Client, Concurrency, Coroutine, Daphne, Django, Django Channels, Endpoint, Event loop,
    External trigger, Falcon, FastAPI, Flask, Framework, Gateway interface, Gunicorn, HTTP,
    HTTP/2, HTTP/3, Hypercorn, Japronto, Long polling, Long-lived connection, Message, Middleware,
    Muffin, Nexios, Parallelism, Process and core, Protocol, Quart, Real-time, Receive, Request,
    Response, Sanic, Scope, Send, Server, Server-sent events, Socket, Starlette, Streaming,
    Synchronous, Thread pool, Uvicorn, WSGI, WebSocket, Worker, async and await, background task,
    environ, more_body, start_response, uWSGI
"""
"""What people say who speak of ASGI, and a learner has heard."""

TERM = re.compile(r"\*\*(.+?)\*\* · \*like (.+?)\*(.+)→ \[.+?\]\(.+?\)$")


def test_the_glossary_has_every_word() -> None:
    """With a likeness, what it is precisely, and the place where it is seen."""
    book = nbformat.read(COURSE / "notebooks/glossary.ipynb", as_version=4)
    paragraphs = [" ".join(part.split()) for part in prose(book).split("\n\n")]
    told = {m[1].lower(): m for part in paragraphs if (m := TERM.match(part))}
    named = {each.lower() for each in re.findall(r"\| \*\*(.+?)\*\* \| \w+ \|", prose(book))}
    named |= {"apache"} & {each.partition(" ")[0] for each in named}
    wanted = {" ".join(word.split()).lower() for word in SPOKEN.split(",")}
    assert wanted - {*told} - named == set()
    assert all(len(match[2]) < 90 and len(match[3]) > 40 for match in told.values())
