"""The command line: only wiring. What a command needs is imported when it runs."""

# ruff: noqa: E501 - an option a line

import sys
from typing import Any

import click

from asgi_lab import __version__

VIEWS = ("timeline", "events", "sequence", "layers", "concurrency", "states", "summary")
FORMATS = ("text", "json", "junit", "sarif", "github")
SERVER_NAMES = ("uvicorn", "hypercorn", "daphne", "granian", "gunicorn", "lab")

EXAMPLES = """\b
Examples:
  asgi-lab trace main:app                              serve it, see every event, Ctrl-C to end
  asgi-lab trace main:app -r "GET /" -r "GET /slow"    send two requests, then exit
  asgi-lab trace main:app -r "GET /" -n 100 -c 10      a hundred, ten at once
  asgi-lab trace main:app -r 'POST /items {"a": 1}' -r "WS /chat hello | bye"
  asgi-lab trace main.py --server granian --workers 2 --record trace.jsonl
  asgi-lab trace main:app -r "GET /slow" -n 20 -c 20 --html page.html
  asgi-lab trace main:app --ui                         live in the browser, too
  asgi-lab trace shop.wsgi:application                 Flask, Django, any WSGI app: the same
  asgi-lab trace main:app --virtual -r "GET /slow" -n 100      simulated, done at once
"""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="asgi-lab")
def main() -> None:
    """See and understand ASGI: every scope, receive and send between server and app.

    \b
      asgi-lab trace main:app          trace an app of yours, live
      asgi-lab attach 4711             trace a server that runs already
      asgi-lab show trace.jsonl        look at a recorded trace again
      asgi-lab compare flask_app fastapi_app -r "GET /slow" -n 20     the same workload on two apps
      asgi-lab diff a.jsonl b.jsonl    what differs between two recorded traces
      asgi-lab serve main:app          our own server, untraced
      asgi-lab lab                     the course, in JupyterLab
      asgi-lab check                   an exercise of the course, checked
    """  # noqa: D301


def picture_options(command: Any) -> Any:
    """Add the options that write one picture."""
    options = [
        click.option("--svg", metavar="FILE", type=click.Path(), help="Write the picture as SVG,"),
        click.option("--png", metavar="FILE", type=click.Path(), help="or in pixels."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def export_options(command: Any) -> Any:
    """Add the options that write a trace for other readers (`asgi_lab.commands.exports`)."""
    options = [
        click.option("--html", metavar="FILE", type=click.Path(), help="Write one page with all pictures, to be sent to anybody."),
        click.option("--svg", metavar="FILE", type=click.Path(), help="Write the picture of --view (by default the timeline) as SVG,"),
        click.option("--png", metavar="FILE", type=click.Path(), help="or in pixels."),
        click.option("--perfetto", metavar="FILE", type=click.Path(), help="Write a trace for the Perfetto UI."),
        click.option("--har", metavar="FILE", type=click.Path(), help="Write an HTTP archive, for a browser's developer tools."),
        click.option("--otlp", metavar="URL", help="Send spans to an OpenTelemetry collector, e.g. http://localhost:4318."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def view_options(command: Any) -> Any:
    """Add the options that `trace` and `show` share."""
    options = [
        click.option("--view", type=click.Choice(VIEWS), help="What to draw at the end."),
        click.option("--conn", type=int, metavar="N", help="The connection to draw, for the views of one."),
        click.option("--filter", "expression", metavar="EXPR", help="What to show, e.g. \"path=/api* total>100ms\"; recording is not affected."),
        click.option("--format", "style", type=click.Choice(FORMATS), default="text", show_default=True, help="How to print the result; the last three: what is wrong, for CI."),
        click.option("--strict", is_flag=True, help="Exit with 1 if a rule of ASGI is broken that must be kept, or a diagnosis warns."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def live_options(command: Any) -> Any:
    """Add the options of what traces live."""
    options = [
        click.option("--record", type=click.Path(dir_okay=False), metavar="FILE", help="Write the trace to FILE (.jsonl or .jsonl.gz) as it grows."),
        click.option("--max-events", default=1_000_000, type=click.IntRange(1), show_default=True, help="Events to keep in memory; the oldest are dropped and counted."),
        click.option("--no-redact", is_flag=True, help="Show credentials, cookies and other secrets as they are."),
        click.option("--no-layers", is_flag=True, help="Only the boundary with the server, no middleware."),
        click.option("--no-rules", is_flag=True, help="Do not check what passes against the rules of ASGI."),
        click.option("--watchdog", type=click.FloatRange(0), default=0.1, metavar="SECONDS", show_default=True, help="How long the event loop may be held before a thread looks which line holds it; 0: never."),
        click.option("-q", "--quiet", is_flag=True, help="Nothing live; only the result."),
        click.option("--ui", is_flag=True, help="Show it live in the browser, too: on a port of its own, with a token."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@main.command(epilog=EXAMPLES)
@click.argument("target")
@click.option("--factory", is_flag=True, help="TARGET is a function that returns the app.")
@click.option(
    "--app-dir", default=".", metavar="DIR", help="Where to import TARGET from.  [default: here]"
)
@click.option(
    "--server",
    type=click.Choice(SERVER_NAMES),
    help="The server to run it on.  [default: uvicorn; for WSGI gunicorn, else lab, our own]",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=None,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 picks a free one.  [default: 8000, or a free one with -r]",
)
@click.option(
    "--workers",
    default=1,
    type=click.IntRange(1),
    show_default=True,
    help="Processes; their traces are merged.",
)
@click.option(
    "--virtual",
    is_flag=True,
    help="Simulate -r requests in memory, in virtual time: no server, no waiting, the same each time.",
)
@click.option("--threads", type=click.IntRange(1), help="Threads of each WSGI worker (--virtual).")
@click.option("--reload", is_flag=True, help="Restart when the code changes (uvicorn, lab).")
@click.option("--loop", metavar="NAME", help="The server's event loop: asyncio or uvloop.")
@click.option(
    "--http", metavar="NAME", help="The server's HTTP parser: h11 or httptools (uvicorn)."
)
@click.option(
    "-r",
    "--request",
    "requests",
    multiple=True,
    metavar='"GET /x"',
    help='Send this request, then exit; repeatable. "POST /x body", "POST /x @file", "WS /chat hello | bye".',
)
@click.option(
    "-H",
    "--header",
    "headers",
    multiple=True,
    metavar='"NAME: VALUE"',
    help="A header for every -r request; repeatable.",
)
@click.option(
    "-n", "--count", default=1, type=click.IntRange(1), help="Send the requests so many times."
)
@click.option("-c", "--concurrency", default=1, type=click.IntRange(1), help="So many at once.")
@view_options
@export_options
@live_options
@click.argument("server_args", nargs=-1, type=click.UNPROCESSED, metavar="[-- SERVER_OPTION ...]")
def trace(**options: Any) -> None:
    """Serve TARGET on a real server and show every event, live.

    TARGET is MODULE:ATTRIBUTE, as in uvicorn (the attribute may be left out if it is `app` or
    `application`), or a file. ASGI or WSGI is found out by itself. What follows `--` goes to the
    server's own command line.
    """
    if options.pop("virtual"):
        from asgi_lab.commands.virtual import run_virtual

        sys.exit(run_virtual(**options))
    if options.pop("threads"):
        raise click.UsageError("--threads goes with --virtual; for a server: -- --threads N")
    from asgi_lab.commands.trace import run_trace

    sys.exit(run_trace(**options))


@main.command()
@click.argument("pid", type=click.IntRange(1))
@view_options
@export_options
@live_options
def attach(**options: Any) -> None:
    """Trace a server that runs already: process PID, until Ctrl-C. It is left as it was.

    Needs Python 3.14, here and there, and the right to look into that process. Of an older Python,
    start the server's own command with ASGI_LAB_TRACE=1 in its environment: it then says on stderr
    what goes wrong, and at its end what there was.

    \b
    Examples:
      asgi-lab attach 4711
      asgi-lab attach $(pgrep -o uvicorn) --record trace.jsonl
      ASGI_LAB_TRACE=1 uvicorn main:app
      ASGI_LAB_TRACE=1 ASGI_LAB_RECORD=trace.jsonl gunicorn -k asgi main:app
    """  # noqa: D301
    from asgi_lab.commands.attach import run_attach

    sys.exit(run_attach(**options))


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(), metavar="FILE...")
@view_options
@export_options
def show(**options: Any) -> None:
    """Show a recorded trace again; several files (one a process) are merged by their clocks.

    \b
    Examples:
      asgi-lab show trace.jsonl
      asgi-lab show trace.jsonl --view sequence --conn 7
      asgi-lab show trace.jsonl --filter "status>=500"
      asgi-lab show trace.jsonl --format json | jq .summary
      asgi-lab show trace.jsonl --html trace.html
      asgi-lab show trace.jsonl --view layers --conn 7 --png layers.png
    """  # noqa: D301
    from asgi_lab.commands.show import run_show

    sys.exit(run_show(**options))


@main.command()
@click.argument("diagnosis", metavar="[ID]", required=False)
@click.option(
    "--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def explain(diagnosis: str | None, style: str) -> None:
    """List what can be diagnosed, or tell one: how it comes about, how to see and to mend it.

    \b
    Examples:
      asgi-lab explain
      asgi-lab explain LOOP-BLOCKED
    """  # noqa: D301
    from asgi_lab.commands.explain import run_explain

    sys.exit(run_explain(diagnosis, style))


@main.command()
@click.argument("rule", metavar="[ID]", required=False)
@click.option(
    "--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True
)
def rules(rule: str | None, style: str) -> None:
    """List the rules of ASGI, or tell one: what it asks, of whom, and what to do.

    \b
    Examples:
      asgi-lab rules
      asgi-lab rules H1
      asgi-lab rules --format json | jq -r .[].id
    """  # noqa: D301
    from asgi_lab.commands.rules import run_rules

    sys.exit(run_rules(rule, style))


@main.command()
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option(
    "-r",
    "--request",
    "requests",
    multiple=True,
    required=True,
    metavar='"GET /x"',
    help="Send this request to both; repeatable.",
)
@click.option(
    "-H", "--header", "headers", multiple=True, metavar='"NAME: VALUE"', help="A header for all."
)
@click.option(
    "-n", "--count", default=1, type=click.IntRange(1), help="Send the requests so many times."
)
@click.option(
    "-c", "--concurrency", type=click.IntRange(1), help="So many at once.  [default: all]"
)
@click.option(
    "--every", type=click.FloatRange(0), metavar="SECONDS", help="One request each so many seconds."
)
@click.option(
    "--workers", default=1, type=click.IntRange(1), show_default=True, help="Of a WSGI app."
)
@click.option("--threads", type=click.IntRange(1), help="Of each worker of a WSGI app.")
@click.option(
    "--server",
    "servers",
    multiple=True,
    type=click.Choice(("memory", *SERVER_NAMES)),
    help="What they run on; twice: A on the first, B on the second.  [default: memory]",
)
@click.option("--real", is_flag=True, help="On the real clock. By default in virtual time.")
@click.option(
    "--app-dir", default=".", metavar="DIR", help="Where to import from.  [default: here]"
)
@click.option(
    "--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@picture_options
def compare(**options: Any) -> None:
    """Run the same workload on two apps, or on one app on two servers: one axis of time.

    A and B are targets as in `asgi-lab trace`. Requests all come at once, unless told otherwise.

    \b
    Examples:
      asgi-lab compare flask_app:app fastapi_app:app -r "GET /slow" -n 20 --workers 4
      asgi-lab compare main:app main:app --server uvicorn --server hypercorn -r "GET /" -n 50
      asgi-lab compare old:app new:app -r "GET /a" -r "GET /b" -n 10 --every 0.1
      asgi-lab compare flask_app:app fastapi_app:app -r "GET /slow" -n 20 --png picture.png
    """  # noqa: D301
    from asgi_lab.commands.compare import run_compare

    sys.exit(run_compare(**options))


@main.command("diff")
@click.argument("a", metavar="A", type=click.Path())
@click.argument("b", metavar="B", type=click.Path())
@click.option(
    "--view",
    type=click.Choice(["text", "sequence"]),
    default="text",
    show_default=True,
    help="What differs in words, or one request's two conversations side by side.",
)
@click.option(
    "--conn", type=int, metavar="N", help="Only the request that is number N in A, or else in B."
)
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print the result.",
)
@picture_options
def diff_(**options: Any) -> None:
    """Compare two recorded traces, request by request and event by event.

    Of one app on two servers, or before and after a fix. The exit code is that of diff(1): 0 if
    nothing differs that matters, 1 if something does, 2 for trouble.

    \b
    Examples:
      asgi-lab diff before.jsonl after.jsonl
      asgi-lab diff uvicorn.jsonl hypercorn.jsonl --view sequence --conn 3
      asgi-lab diff before.jsonl after.jsonl --format json | jq .verdict
    """  # noqa: D301
    from asgi_lab.commands.diff import run_diff

    sys.exit(run_diff(**options))


@main.command()
@click.argument("target")
@click.option("--factory", is_flag=True, help="TARGET is a function that returns the app.")
@click.option(
    "--app-dir", default=".", metavar="DIR", help="Where to import from.  [default: here]"
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, type=click.IntRange(0, 65535), show_default=True)
@click.option("--uds", metavar="PATH", help="Listen on a Unix socket instead.")
@click.option("--fd", type=int, metavar="N", help="Listen on the open socket of this number.")
@click.option("--reload", is_flag=True, help="Serve anew when Python code changes.")
@click.option("--loop", type=click.Choice(["asyncio", "uvloop"]), help="The event loop.")
@click.option("--workers", type=click.IntRange(1), help="Processes of a WSGI app.  [default: 1]")
@click.option("--threads", type=click.IntRange(1), help="Threads of each.  [default: 1]")
@click.option("--root-path", default="", metavar="PATH", help="The path that a proxy has cut off.")
@click.option("--trust", metavar="ADDRESS", multiple=True, help="A proxy to believe; * for all.")
@click.option("--certificate", metavar="FILE", help="Serve TLS with this certificate chain,")
@click.option("--key", metavar="FILE", help="and this private key.")
@click.option(
    "--shutdown-seconds",
    type=click.FloatRange(0),
    help="How long open requests may take at the end.  [default: 10; with --reload 1]",
)
@click.option(
    "--log-level",
    type=click.Choice(["critical", "error", "warning", "info", "debug"]),
    default="info",
    show_default=True,
)
def serve(**options: Any) -> None:
    """Serve TARGET on our own server, untraced: the code of asgi_lab/server, to be read.

    \b
    Examples:
      asgi-lab serve main:app
      asgi-lab serve main:app --reload
      asgi-lab serve main:app --port 0 --loop uvloop
      asgi-lab serve shop.wsgi:application --workers 2 --threads 4
      asgi-lab serve main:app --certificate cert.pem --key key.pem
    """  # noqa: D301
    from asgi_lab.commands.serve import run_serve

    sys.exit(run_serve(**options))


@main.command()
@click.argument("wanted", metavar="[ID]", required=False)
@click.option("--watch", is_flag=True, help="Check again each time the file is saved.")
@click.option("--hint", type=int, metavar="N", help="Show hint N: 1, 2 and 3 say more and more.")
@click.option("--all", "everything", is_flag=True, help="Check all exercises.")
@click.option("--list", "listed", is_flag=True, help="List all exercises, and which are passed.")
@click.option("--dir", default="", metavar="DIR", help="Where the course is.  [default: here]")
def check(**options: Any) -> None:
    """Check an exercise of the course from its trace: the next one, or the one of this ID.

    \b
    Examples:
      asgi-lab check               the next one
      asgi-lab check 05.1          one
      asgi-lab check 05            all of a chapter
      asgi-lab check --watch       and again, each time you save
      asgi-lab check 05.1 --hint 1
    """  # noqa: D301
    from asgi_lab.commands.check import run_check

    sys.exit(run_check(**options))


@main.command()
@click.argument("dir", required=False, type=click.Path(file_okay=False))
@click.option("--copy-only", is_flag=True, help="Copy the course, and open nothing.")
@click.option("--no-browser", is_flag=True, help="Start JupyterLab, and say where it is.")
@click.option("--solutions", is_flag=True, help="Copy the solutions of the exercises, too.")
@click.argument("jupyter_args", nargs=-1, type=click.UNPROCESSED, metavar="[-- JUPYTER_OPTION ...]")
def lab(**options: Any) -> None:
    """Open the course in JupyterLab, in DIR or where you are; copied there at the first time.

    What you have changed is never written over.

    \b
    Examples:
      asgi-lab lab                 the course that you are in, or a new one in asgi-lab-course
      asgi-lab lab ~/asgi          in this folder
      asgi-lab lab --copy-only     the files alone
      asgi-lab lab -- --port 9999  after --: JupyterLab's own options
    """  # noqa: D301
    from asgi_lab.commands.lab import run_lab

    sys.exit(run_lab(**options))
