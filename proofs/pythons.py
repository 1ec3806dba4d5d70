"""Finds the Pythons to try, each with this package and all that the experiments need."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build"
NEEDED = (".[dev]", "a2wsgi", "ipykernel")


class Missing(Exception):
    """There is no such Python, or it lacks what is needed; the message says which."""


def python_of(version: str) -> Path:
    """Return a Python of a version such as `3.12`, in an environment that has all that is needed.

    This one, or one under `build/`, which is made if it is not there. Raises `Missing`.
    """
    if version == "{}.{}".format(*sys.version_info):
        return Path(sys.executable)
    folder = BUILD / f"python{version}"
    python, complete = folder / "bin" / "python", folder / "complete"
    if complete.exists():
        return python
    base = interpreter(version)
    print(f"Python {version}: installing into {folder.relative_to(ROOT)} ...", flush=True)
    quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    call(base, ["-m", "venv", str(folder)], version)
    call(python, [*quiet, "--constraint", "constraints.txt", "--editable", *NEEDED], version)
    complete.touch()
    return python


def interpreter(version: str) -> Path:
    """Return where a Python is: on the path, or among pyenv's. Raises `Missing`."""
    kept = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    found = shutil.which(f"python{version}")
    for python in [*kept, *([Path(found)] if found else [])]:
        asked = [str(python), "-c", "import sys; print('{}.{}'.format(*sys.version_info))"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        if done.stdout.strip() == version:
            return python
    raise Missing(f"Python {version} is not installed")


def call(python: Path, command: Sequence[str], version: str) -> None:
    """Run a Python. Raises `Missing`, with the last line it said, if it fails."""
    done = subprocess.run(
        [str(python), *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr.strip() or "it said nothing").splitlines()[-1]
        raise Missing(f"Python {version} cannot be prepared: {said}")
