"""What the lab server's modules import: of ours the types, and a loop only where one is needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import asgi_lab.server

FOLDER = Path(asgi_lab.server.__file__).parent
MODULES = {path.stem: path for path in FOLDER.glob("*.py")}
INSTALLED = {
    "http11": {"h11"},
    "http2": {"h2"},
    "http2_state": {"h2", "hpack"},
    "websocket": {"wsproto"},
    "reload": {"watchfiles"},
    "__main__": {"click"},
}
PURE = [
    "http11", "request", "chunks", "response", "websocket", "scope", "failures", "limits",
    "proxies", "http2", "http2_frames", "http2_request", "http2_response", "http2_events",
    "http2_allowance", "http2_state",
]  # fmt: skip


def imports(name: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return found


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_little(name: str) -> None:
    for module in imports(name):
        package = module.partition(".")[0]
        if package == "asgi_lab":
            assert module == "asgi_lab.types" or module.startswith("asgi_lab.server."), module
        else:
            assert package in sys.stdlib_module_names | INSTALLED.get(name, set()), module


@pytest.mark.parametrize("name", PURE)
def test_protocols_need_no_event_loop(name: str) -> None:
    assert "asyncio" not in imports(name)
    ours = {module.rpartition(".")[2] for module in imports(name) if "asgi_lab.server." in module}
    assert ours <= set(PURE)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_short_enough_to_be_read(name: str) -> None:
    source = MODULES[name].read_text()
    assert source.count("\n") <= 250
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 40, f"{name}: {node.name}"


def test_the_server_loads_without_click() -> None:
    script = "import sys, asgi_lab.server; print('click' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "False\n"
