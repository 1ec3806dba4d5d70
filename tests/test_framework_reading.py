"""The framework is to be read: short modules that know little of each other, and nothing else."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import asgi_lab.framework

FOLDER = Path(asgi_lab.framework.__file__).parent
MODULES = {path.relative_to(FOLDER).as_posix(): path for path in FOLDER.rglob("*.py")}
INSTALLED = {"forms.py": {"multipart"}, "middleware/sessions.py": {"itsdangerous"}}
OURS = {"testing.py": {"asgi_lab.client", "asgi_lab.memory"}}


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return found


@pytest.mark.parametrize("name", MODULES)
def test_a_module_knows_the_types_of_asgi_and_no_more(name: str) -> None:
    for module in imports(MODULES[name]):
        package = module.partition(".")[0]
        if package == "asgi_lab":
            allowed = {"asgi_lab.types", *OURS.get(name, ())}
            assert module in allowed or module.startswith("asgi_lab.framework."), module
        else:
            assert package in sys.stdlib_module_names | INSTALLED.get(name, set()), module


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_short_enough_to_be_read(name: str) -> None:
    source = MODULES[name].read_text()
    assert source.count("\n") <= 250
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 40, f"{name}: {node.name}"


def test_the_reading_order_names_every_module_after_those_that_it_needs() -> None:
    """So nobody imports in a circle, and each module can be read knowing those before it."""
    package = "asgi_lab.framework"
    order = re.findall(r"^    ([a-z]\w*(?:\.\w+)?) {3,}\S", asgi_lab.framework.__doc__ or "", re.M)
    order = [f"{package}.{name}" for name in order]
    names = {f"{package}.{n[:-3].replace('/', '.')}".removesuffix(".__init__"): p
             for n, p in MODULES.items()}  # fmt: skip
    assert sorted(order) == sorted(set(names) - {package})
    for index, name in enumerate(order):
        if MODULES.get("middleware/__init__.py") != names[name]:  # it gathers its modules
            later = imports(names[name]) & set(order[index:])
            assert not later, f"{name} imports {later}"


def test_what_must_be_installed_is_imported_when_it_is_needed() -> None:
    script = (
        "import sys, asgi_lab.framework, asgi_lab.framework.middleware;"
        "print({'multipart', 'itsdangerous', 'asgi_lab.client', 'asgi_lab.tracer'}"
        " & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "set()\n"
