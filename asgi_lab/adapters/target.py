"""Finding the app that a target such as `shop.main:app` names, and saying clearly why it can't be.

The errors here are people's everyday ones, so each says what was expected, what was found and what
to do; an app that fails while it is imported shows its own traceback, cut to its own frames.
"""

import difflib
import importlib
import os
import pkgutil
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from asgi_lab.adapters.output import ShortTracebacks, is_hidden
from asgi_lab.interface import Interface, interface_of

USUAL_NAMES = ("app", "application")
USUAL_MODULES = ("main", "app", "asgi", "wsgi", "application", "server")


class TargetError(Exception):
    """The target cannot be served; the message is for the user."""


def load_target(target: str, app_dir: str = ".", factory: bool = False) -> tuple[Any, Interface]:
    """Import the target and return `(app, interface)`.

    `target` is `module:attribute`, `module`, or a path to a file, with or without `:attribute`.
    Raises `TargetError`.
    """
    name, _, attribute = target.partition(":")
    name, app_dir = _from_path(name, app_dir)
    if not name or not all(part.isidentifier() for part in name.split(".")):
        raise TargetError(
            f"expected MODULE:ATTRIBUTE, as in main:app, or a file, as in main.py; got {target!r}"
        )
    sys.path.insert(0, str(Path(app_dir).resolve()))
    module = _import(name, app_dir)
    _check_own(module, name, app_dir)
    app = _attribute(module, name, attribute)
    if factory:
        app = _call_factory(app, target)
    interface = interface_of(app)
    if interface is None:
        raise TargetError(_no_app(app, target, factory))
    return app, interface


def _from_path(name: str, app_dir: str) -> tuple[str, str]:
    """Turn `shop/main.py` into a module name and the folder to import it from."""
    if not name.endswith(".py") and os.sep not in name:
        return name, app_dir
    path = Path(app_dir, name)
    if not path.is_file():
        raise TargetError(f"no such file: {name}{_near(path.name, _siblings(path))}")
    folder, parts = path.resolve().parent, [path.stem]
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts), str(folder)


def _siblings(path: Path) -> list[str]:
    return [entry.name for entry in path.parent.glob("*.py")] if path.parent.is_dir() else []


def _import(name: str, app_dir: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise TargetError(_no_module(error.name, app_dir)) from None
        raise TargetError(_import_failed(name, error)) from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise TargetError(_import_failed(name, error)) from None


def _no_module(name: str, app_dir: str) -> str:
    parent, _, last = name.rpartition(".")
    if not parent:
        where, folders = str(Path(app_dir).resolve()), [app_dir]
    else:
        where, folders = parent, list(getattr(sys.modules.get(parent), "__path__", ()))
    if parent and not folders:
        return f"no module named {last!r} in {parent}: that is a file, not a package"
    return f"no module named {last!r} in {where}{_near(last, _modules_in(folders), parent)}"


def _modules_in(folders: list[str]) -> list[str]:
    return [module.name for module in pkgutil.iter_modules(folders)]


def _check_own(module: ModuleType, name: str, app_dir: str) -> None:
    """Raise `TargetError` if the user's file of that name is not what was imported."""
    own = Path(app_dir, *name.split(".")).with_suffix(".py")
    found = getattr(module, "__file__", None)
    if own.is_file() and not (found and own.samefile(found)):
        where = f" ({found})" if found else ""
        raise TargetError(f"{own.name} is hidden by another module named {name}{where}: rename it")


def _import_failed(name: str, error: BaseException) -> str:
    what = "exited" if isinstance(error, SystemExit) else "failed"
    return f"{name} {what} while it was imported:\n\n{short_traceback(error)}"


def short_traceback(error: BaseException) -> str:
    """Return a traceback from the user's first frame on, without those of libraries."""
    lines: list[str] = []
    short = ShortTracebacks(lines.append)
    while (at := error.__traceback__) and is_hidden(at.tb_frame.f_code.co_filename):
        error.__traceback__ = at.tb_next
    for line in "".join(traceback.format_exception(error)).splitlines():
        short.line(line)
    short.end()
    return "\n".join(lines)


def _attribute(module: ModuleType, name: str, attribute: str) -> Any:
    for usual in [attribute] if attribute else USUAL_NAMES:
        found: Any = module
        try:
            for part in usual.split("."):
                found = getattr(found, part)
            return found
        except AttributeError:
            continue
    names = [key for key, value in vars(module).items() if not key.startswith("_")]
    apps = [key for key in names if not isinstance(vars(module)[key], type | ModuleType)
            and interface_of(vars(module)[key]) and not _imported(module, key)]  # fmt: skip
    inside = _submodule(module, name)
    if attribute:
        near = _near(attribute, names, apps=apps) or inside
        raise TargetError(f"{name} has no attribute {attribute!r}{near}")
    hint = f"; did you mean {name}:{apps[0]}?" if apps else inside or f", as in {name}:my_app"
    raise TargetError(f"{name} has neither `app` nor `application`: name the attribute{hint}")


def _submodule(module: ModuleType, name: str) -> str:
    """Return a hint at the submodule of a package that is likely meant, or an empty string."""
    inside = _modules_in(list(getattr(module, "__path__", ())))
    likely = [usual for usual in USUAL_MODULES if usual in inside]
    return f"; did you mean {name}.{likely[0]}:app?" if likely else ""


def _imported(module: ModuleType, key: str) -> bool:
    value = vars(module)[key]
    return (
        callable(value)
        and getattr(value, "__module__", module.__name__) != module.__name__
        and hasattr(value, "__name__")
    )


def _call_factory(factory: Any, target: str) -> Any:
    if not callable(factory):
        raise TargetError(f"--factory needs a callable; {target} is {_kind(factory)}")
    try:
        return factory()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise TargetError(f"the factory {target} failed:\n\n{short_traceback(error)}") from None


def _no_app(app: Any, target: str, factory: bool) -> str:
    what = f"what the factory {target} returned" if factory else target
    hint = ""
    if callable(app) and not factory:
        hint = ". If it returns the app, add --factory"
    return (
        f"{what} is {_kind(app)}, not an app: expected an ASGI app (scope, receive, send) or a "
        f"WSGI app (environ, start_response){hint}"
    )


def _kind(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _near(name: str, names: list[str], parent: str = "", apps: list[str] | None = None) -> str:
    found = difflib.get_close_matches(name, names, n=1) or list(apps or [])[:1]
    prefix = f"{parent}." if parent else ""
    return f"; did you mean {prefix}{found[0]}?" if found else ""
