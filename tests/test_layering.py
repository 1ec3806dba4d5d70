"""Who may import whom: each module imports only those before it."""

import ast
import subprocess
import sys
from pathlib import Path

import asgi_lab

ROOT = Path(asgi_lab.__file__).parent
ORDER = (
    "types", "source", "atoms", "redact", "recorder", "merge", "garbage", "events", "files",
    "ticker", "running", "threads", "standin", "interface", "layers", "wire", "tracer", "watchdog",
    "verdicts", "lives", "checked_door", "checked", "wsgi", "api",
)  # fmt: skip
"""The core, downward: from what knows nothing to what knows most."""

LAZY = {
    ("events", "text"),
    ("events", "filters"),
    ("events", "files"),
    ("events", "view.display"),
    ("events", "diagnose"),
    ("ticker", "files"),
    ("tracer", "checked"),
    ("tracer", "watchdog"),
}
"""Imported when first used, upward: a trace filters and shows itself, a ticker opens a file."""


MAY = {
    **{
        f"memory/{name}.py": {"client"}
        for name in ("answer", "channel", "door", "http", "line", "upload", "websocket", "wsgi")
    },
    "framework/testing.py": {"client"},
    "view/comparison.py": {"experiment"},
}
"""What knows of something above it: the server in memory of its clients, a painter of data."""


def imports(path: Path) -> set[str]:
    """The modules that a file imports anywhere."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return found


def test_the_core_imports_the_stdlib_and_downward_only() -> None:
    for index, module in enumerate(ORDER):
        for name in imports(ROOT / f"{module}.py") - {"asgi_lab"}:
            package, _, rest = name.partition(".")
            if package != "asgi_lab":
                assert package in sys.stdlib_module_names | {"anyio"}, f"{module}: {name}"
            elif rest == "spec" or rest.startswith("spec."):
                assert index > ORDER.index("tracer"), f"{module} knows the rules"
            elif (module, rest) not in LAZY:
                assert rest in ORDER[:index], f"{module} imports {rest}"


def test_only_the_top_imports_what_must_be_installed() -> None:
    allowed = {
        "view": {"rich", "matplotlib", "numpy", "PIL", "anywidget", "traitlets"},
        "export": {"opentelemetry", "requests"},
        "clock": {"anyio", "uvloop"},
        "testing": {"pytest"},
        "memory": {"h11", "wsproto"},
        "framework": {"itsdangerous", "multipart"},
        "server": {"h11", "h2", "hpack", "hyperframe", "watchfiles", "wsproto"},
        "wsgi_server": {"h11"},
        "": {"click", "anyio"},
    }
    above = {"adapters", "attach", "client", "commands", "experiment", "lesson", "samples"}
    for path in ROOT.rglob("*.py"):
        folder = path.relative_to(ROOT).parts[0] if path.parent != ROOT else ""
        if folder in above or path.name in ("cli.py", "__main__.py", "__init__.py"):
            continue
        for name in imports(path):
            package = name.partition(".")[0]
            known = sys.stdlib_module_names | {"asgi_lab"} | allowed.get(folder, set())
            assert package in known, f"{path.relative_to(ROOT)}: {name}"
            forbidden = {*above, "cli"} - MAY.get(path.relative_to(ROOT).as_posix(), set())
            above_it = (name + ".").startswith(tuple(f"asgi_lab.{part}." for part in forbidden))
            assert not above_it, f"{path.relative_to(ROOT)}: {name}"


def test_importing_the_package_is_light() -> None:
    """Nothing but the package itself; and tracing needs nothing that must be installed."""
    script = "import sys; before = set(sys.modules); {}; print(*set(sys.modules) - before)"

    def loaded(statement: str) -> set[str]:
        command = [sys.executable, "-c", script.format(statement)]
        return set(subprocess.check_output(command, text=True).split())

    assert {name for name in loaded("import asgi_lab") if "asgi_lab" in name} == {"asgi_lab"}
    packages = {name.partition(".")[0] for name in loaded("from asgi_lab import trace")}
    assert {name for name in packages if not name.startswith("_sysconfigdata")} <= {
        *sys.stdlib_module_names,
        "asgi_lab",
    }


def test_servers_and_framework_know_neither_the_tracer_nor_one_another() -> None:
    """They are teaching material, and could be used without the rest."""
    for folder in ("server", "wsgi_server", "framework"):
        for path in (ROOT / folder).rglob("*.py"):
            if path.relative_to(ROOT).as_posix() == "framework/testing.py":
                continue
            for name in imports(path):
                own = name.startswith(f"asgi_lab.{folder}") or name == "asgi_lab.types"
                assert own or not name.startswith("asgi_lab"), f"{path.name}: {name}"


def test_worlds_know_no_app() -> None:
    """Virtual time knows the recorder, which tells it time, and nothing of servers or clients."""
    allowed = tuple(
        f"asgi_lab.{name}" for name in ("clock", "garbage", "recorder", "running", "source")
    )
    for path in (ROOT / "clock").glob("*.py"):
        for name in imports(path):
            assert not name.startswith("asgi_lab") or name.startswith(allowed), f"{path}: {name}"


def test_scenes_know_no_painter_and_analyses_know_no_scene() -> None:
    """Record, trace, analysis, scene, painter: each knows only what is before it."""
    for path in (ROOT / "scene").glob("*.py"):
        for name in imports(path):
            assert name.partition(".")[0] in sys.stdlib_module_names | {"asgi_lab"}, path.name
            assert not name.startswith(("asgi_lab.view", "asgi_lab.export")), f"{path}: {name}"
    for part in ("measures", "connection", "loop", "totals", "waiting", "concurrency", "report"):
        for name in imports(ROOT / f"{part}.py"):
            assert not name.startswith(("asgi_lab.scene", "asgi_lab.view")), f"{part}: {name}"
