"""A learner's file, loaded: what it defines, by name."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from asgi_lab.adapters.target import short_traceback

NAME = "your_answer"


class AnswerError(Exception):
    """The file cannot be loaded. The message says why, ending at the learner's own line."""


def load_answer(file: Path) -> dict[str, Any]:
    """Return what a file defines. Raises `AnswerError` if it cannot be read or run."""
    spec = importlib.util.spec_from_file_location(NAME, file)
    if spec is None or spec.loader is None or not file.is_file():
        raise AnswerError(f"cannot read {file}: no such file")
    module = ModuleType(NAME)
    module.__spec__, module.__file__ = spec, str(file)
    sys.modules[NAME] = module
    try:
        code = compile(file.read_text(encoding="utf-8"), str(file), "exec")
        exec(code, module.__dict__)
    except SyntaxError as error:
        where = f"{file.name}, line {error.lineno}"
        raise AnswerError(f"{where} is no Python: {error.msg}\n    {error.text or ''}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise AnswerError(f"cannot read {file}: {error}") from None
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        told = short_traceback(error)
        raise AnswerError(f"{file.name} failed while it was loaded:\n\n{told}") from None
    return vars(module)
