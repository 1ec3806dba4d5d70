"""The course as a site that needs nothing: `python -m asgi_lab.lesson.authoring.site [05 ...]`.

Each chapter is run once more, in a fresh kernel, and its pictures are kept as scenes: in the page
they are drawn by the module that draws them in a notebook, and answer to clicks and keys, without
a kernel. Where scripts are off, the images stand there. No page asks for anything from elsewhere;
they work from a disk.
"""

import argparse
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from html import escape, unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from markdown_it import MarkdownIt
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from asgi_lab.lesson.authoring.notebooks import made, run, sources
from asgi_lab.lesson.course import CourseError, find_course
from asgi_lab.view import theme
from asgi_lab.view.display import PNG, SCENE, SCENES, TEXT
from asgi_lab.view.html import STATIC as PAINTER
from asgi_lab.view.html import colours

STATIC = Path(__file__).parent / "static"
COURSE_TITLE = "See and understand ASGI"

PREDICT, REVEALED = "Predict: ", "The trace says:"

LINK = re.compile(r'<a href="([^"]*)">(.*?)</a>', re.DOTALL)


class Page:
    """A chapter, or another text, on its way to a page."""

    def __init__(self, name: str, title: str, body: str, about: str = "") -> None:
        self.name = name
        self.title = title
        self.body = body
        self.about = about
        """The lines on what one needs, builds, and how long it takes."""

    @property
    def sections(self) -> list[tuple[str, str]]:
        """The headings within: where each is, and what it says."""
        return re.findall(r'<h2 id="([^"]*)">(.*?)</h2>', self.body)


def build(course: Path, out: Path, wanted: Sequence[str] = ()) -> int:
    """Write the site; return how many pages it has.

    Raises `CourseError`, `CellExecutionError`, `OSError`.
    """
    os.environ[SCENES] = "1"
    pages = []
    for source in sources(course, wanted):
        print(source.stem, flush=True)
        pages.append(chapter(source.stem, run(made(source), source.parent)))
    for text in sorted((course / "notebooks").glob("*.md")):
        pages.append(page_of(text.stem.lower(), [prose(text.read_text(encoding="utf-8"))]))
    out.mkdir(parents=True, exist_ok=True)
    known = {page.name for page in pages}
    for number, page in enumerate(pages):
        page.body = LINK.sub(lambda match: link(match, known), page.body)
        html = document(page, pages, number)
        (out / f"{page.name}.html").write_text(html, encoding="utf-8", newline="\n")
    (out / "index.html").write_text(index(pages), encoding="utf-8", newline="\n")
    (out / "course.css").write_text(style(), encoding="utf-8", newline="\n")
    (out / "course.js").write_text(script(), encoding="utf-8", newline="\n")
    return len(pages)


def chapter(name: str, book: NotebookNode) -> Page:
    """Return a notebook that has been run as a page."""
    parts: list[str] = []
    for cell in book.cells:
        if cell.cell_type == "markdown":
            parts.append(prose(cell.source))
        elif cell.cell_type == "code":
            parts.append(code(cell.source))
            parts += [output for each in cell.outputs for output in shown(each)]
    return page_of(name, parts)


def page_of(name: str, parts: Sequence[str]) -> Page:
    """Return a page of these parts, with the title that is in them, and headings to link to."""
    seen: set[str] = set()

    def marked(match: re.Match[str]) -> str:
        plain = re.sub(r"<[^>]*>", "", match[2])
        slug = anchor(plain)
        while slug in seen:
            slug += "-"
        seen.add(slug)
        return f'<h{match[1]} id="{slug}">{match[2]}</h{match[1]}>'

    body = re.sub(r"<h([23])>(.*?)</h\1>", marked, "\n".join(parts))
    title = re.search(r"<h1>(.*?)</h1>", body)
    about = re.search(r"<p>(<strong>You need:.*?)</p>", body, re.DOTALL)
    plain = unescape(re.sub(r"<[^>]*>", "", title[1])) if title else name
    return Page(name, plain, body, about[1] if about else "")


def anchor(text: str) -> str:
    """Return what a heading is linked by."""
    return re.sub(r"\W+", "-", text.lower()).strip("-")


# ------------------------------------------------------------------ cells


def prose(text: str) -> str:
    """Return Markdown as HTML. What is HTML in it stays text."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    html: str = markdown.render(text)
    return html.replace("<table>", '<div class="wide"><table>').replace(
        "</table>", "</table></div>"
    )


def code(source: str) -> str:
    """Return a cell's code, in colours."""
    if not source.strip():
        return ""
    coloured = highlight(source, PythonLexer(), HtmlFormatter(nowrap=True)).rstrip("\n")
    return f'<pre class="code" tabindex="0"><code>{coloured}</code></pre>'


def shown(output: Any) -> Iterator[str]:
    """Yield what is shown of an output."""
    data = output.get("data", {})
    text = str(output.get("text") or data.get(TEXT) or "").rstrip("\n")
    if PNG in data:
        yield figure(data, text, output.get("metadata", {}).get(PNG, {}).get("alt", ""))
    elif text.startswith(PREDICT):
        yield question(text)
    elif text.startswith(REVEALED):
        asked = "<summary>What does the trace say?</summary>"
        yield f'<details class="said">{asked}{pre(text)}</details>'
    elif text:
        yield pre(text)


def pre(text: str) -> str:
    """Return an output of text."""
    return f'<pre class="said" tabindex="0">{escape(text)}</pre>'


def figure(data: Any, text: str, alt: str) -> str:
    """Return a picture: the image, and the scene that a script draws in its place."""
    scene = data.get(SCENE)
    drawn = ""
    if scene is not None:
        told = json.dumps({**scene, "text": text}).replace("<", "\\u003c")
        drawn = f'<script type="application/json">{told}</script>'
    image = str(data[PNG]).replace("\n", "")
    source = f"data:image/png;base64,{image}"
    return f'<figure class="picture"><img src="{source}" alt="{escape(alt)}">{drawn}</figure>'


def question(text: str) -> str:
    """Return a prediction: its answers can be chosen, and the page says nothing of them."""
    first, *choices = text.splitlines()
    name = anchor(text)
    rows = "".join(
        f'<label><input type="radio" name="{name}"> {escape(re.sub(r"^ *[0-9]+[.] ", "", line))}'
        "</label>"
        for line in choices
    )
    asked = escape(first.removeprefix(PREDICT))
    return f'<fieldset class="predict"><legend>Predict: {asked}</legend>{rows}</fieldset>'


def link(match: re.Match[str], known: set[str]) -> str:
    """Return a link as it is in the site: chapters by their pages, files as plain names."""
    target, label = match[1], match[2]
    if target.startswith(("https://", "http://")):
        return match[0]
    path, _, place = target.partition("#")
    place = anchor(unquote(place))
    if not path:
        return f'<a href="#{place}">{label}</a>'
    name = Path(path).stem
    for each in (name, name.lower()):
        if each in known and Path(path).suffix in (".ipynb", ".md", ".html"):
            return f'<a href="{each}.html{"#" * bool(place)}{place}">{label}</a>'
    return f"<span>{label}</span>"


# ------------------------------------------------------------------ pages


def document(page: Page, pages: Sequence[Page], number: int) -> str:
    """Return a whole page."""
    before = pages[number - 1] if number else None
    after = pages[number + 1] if number + 1 < len(pages) else None
    around = "".join(
        f'<a class="{side}" href="{each.name}.html" rel="{side}">{escape(each.title)}</a>'
        for side, each in (("prev", before), ("next", after))
        if each is not None
    )
    body = f"{page.body}\n<nav class='around' aria-label='Chapters before and after'>{around}</nav>"
    return frame(page.title, contents(pages, page), body)


def contents(pages: Sequence[Page], current: Page | None) -> str:
    """Return the list of chapters; below the current one, its sections."""
    rows = []
    for page in pages:
        here = ' aria-current="page"' if page is current else ""
        row = f'<a href="{page.name}.html"{here}>{escape(page.title)}</a>'
        if page is current:
            inner = "".join(f'<li><a href="#{id}">{text}</a></li>' for id, text in page.sections)
            row += f"<ol>{inner}</ol>" if inner else ""
        rows.append(f"<li>{row}</li>")
    return f"<ol>{''.join(rows)}</ol>"


def index(pages: Sequence[Page]) -> str:
    """Return the first page: the chapters, and what each is about."""
    rows = "".join(
        f'<li><a href="{page.name}.html">{escape(page.title)}</a><p>{page.about}</p></li>'
        for page in pages
    )
    body = (
        f"<h1>{COURSE_TITLE}</h1>"
        "<p>From the bytes of HTTP to a server that you have written yourself. Pictures answer: "
        "click an event, zoom, play. To run the code, and to have your answers checked: "
        "<code>pip install 'asgi-lab[course]'</code>, then <code>asgi-lab lab</code>.</p>"
        f'<ol class="chapters">{rows}</ol>'
    )
    return frame(COURSE_TITLE, contents(pages, None), body)


def frame(title: str, navigation: str, body: str) -> str:
    """Return a page around a text."""
    shell = (STATIC / "course.html").read_text(encoding="utf-8")
    parts = {"title": escape(title), "course": COURSE_TITLE, "contents": navigation, "body": body}
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], shell)


def style() -> str:
    """Return the style sheet: the theme's colours, the layout, and those of code."""
    light, dark = ".code", ":root[data-theme=dark] .code"
    bright = HtmlFormatter(style="default").get_style_defs(light)
    dim = HtmlFormatter(style="github-dark").get_style_defs(dark)
    mine = (STATIC / "course.css").read_text(encoding="utf-8")
    return f"{colours()}{bright}\n{dim}\n{mine}"


def script() -> str:
    """Return what draws the pictures: no module, since those do not load from a disk."""
    painter = (PAINTER / "timeline.js").read_text(encoding="utf-8")
    painter = re.sub(r"^export default .*$", "", painter, flags=re.MULTILINE)
    painter = re.sub(r"^export (?=function|const|class)", "", painter, flags=re.MULTILINE)
    own = (STATIC / "course.js").read_text(encoding="utf-8")
    own = own.replace("THEME", json.dumps(theme.as_json()))
    return f'(() => {{\n"use strict";\n{painter}\n{own}\n}})();\n'


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the site; return the exit code."""
    parser = argparse.ArgumentParser(description="Make the course as a site.")
    parser.add_argument("--out", type=Path, default=Path("build/html"), help="where to write it")
    parser.add_argument("chapters", nargs="*", help="numbers or names; by default all")
    given = parser.parse_args(arguments)
    try:
        shutil.rmtree(given.out, ignore_errors=True)
        number = build(find_course(), given.out, given.chapters)
    except CellExecutionError as error:
        print(error, file=sys.stderr)
        return 1
    except (CourseError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{number} pages: {given.out / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
