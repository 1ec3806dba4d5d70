"""`python -m proofs.binder [--write]`: the image that Binder makes of `binder/`, without an engine.

--write    renew binder/requirements.txt: what the course needs, as constraints.txt pins it, but
           for what Binder's own image brings (JupyterLab and what that needs)

Without it: repo2docker reads the repository and renders the recipe of its image; its steps are
done in an empty environment with the versions that the image begins with; then a chapter is run.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from proofs.pythons import Missing, interpreter

ROOT = Path(__file__).parent.parent
REQUIREMENTS = ROOT / "binder" / "requirements.txt"
CONSTRAINTS = ROOT / "constraints.txt"

OURS = "servers,frameworks,framework,http2"
BESIDE = ("anywidget", "jupyter-server-proxy", "matplotlib")
"""What the course needs besides: of `asgi-lab[notebooks]` all but what the image has."""

THEIRS = ("jupyterlab", "notebook", "ipywidgets", "ipykernel", "jupyter-server")
"""What the image has, with all that these need; to pin it anew would break it."""

BASE = (*THEIRS, "jupyterhub-base", "jupyter-resource-usage")

HEAD = f"""\
# What the course needs on Binder, as constraints.txt pins it. Made by:
# python -m proofs.binder --write
# Without JupyterLab and what it needs: the image has its own.
.[{OURS}]
"""


def main() -> int:
    """Renew the requirements, or check the recipe; return the exit code."""
    parser = argparse.ArgumentParser(description="Check what Binder makes of binder/.")
    parser.add_argument("--write", action="store_true", help="renew binder/requirements.txt")
    if parser.parse_args().write:
        REQUIREMENTS.write_text(HEAD + "".join(f"{pin}\n" for pin in pins()), encoding="utf-8")
        return 0
    with tempfile.TemporaryDirectory() as place:
        try:
            return check(Path(place))
        except (Missing, subprocess.CalledProcessError) as error:
            print(error, file=sys.stderr)
            return 1


def pins() -> list[str]:
    """Return what is needed and not there, pinned."""
    theirs = closure(*THEIRS)
    needed = closure(f"asgi-lab[{OURS}]", *BESIDE) - theirs - {"asgi-lab"}
    pinned = {}
    for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            pinned[canonicalize_name(line.partition("==")[0])] = line
    missing = needed - {*pinned}
    if missing:
        sys.exit(f"constraints.txt does not pin {', '.join(sorted(missing))}")
    return sorted(pinned[name] for name in needed)


def closure(*wanted: str) -> set[str]:
    """Return the names of these packages and of all that they need, as installed here."""
    found: set[str] = set()
    todo = [Requirement(each) for each in wanted]
    seen = set()
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        key = (name, frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        try:
            needs = requires(name) or []
        except PackageNotFoundError:
            continue  # for another system, or another Python
        found.add(name)
        for each in map(Requirement, needs):
            extras = [*requirement.extras, ""]
            if each.marker is None or any(each.marker.evaluate({"extra": e}) for e in extras):
                todo.append(each)
    return found


def check(place: Path) -> int:
    """Do the steps of the image; return the exit code."""
    begun = time.monotonic()
    tool = made(place / "repo2docker", sys.executable, "jupyter-repo2docker")
    recipe = rendered(tool)
    python, base = image_of(tool, recipe)
    print(f"the image has Python {python}, and", ", ".join(f"{n} {v}" for n, v in base.items()))
    try:
        interpreter_path = interpreter(python)
    except Missing as error:
        return fail(str(error))
    versions = [f"{name}=={version}" for name, version in base.items()]
    own = made(place / "image", interpreter_path, *versions)
    said("an environment as the image begins", begun)
    env = {**os.environ, "PATH": f"{own.parent}:{os.environ['PATH']}", "HOME": str(place / "home")}
    env |= {"VIRTUAL_ENV": str(own.parent.parent)}
    checkout = place / "repo"
    subprocess.run(["git", "clone", "--quiet", ROOT, checkout], check=True)
    begun = time.monotonic()
    for step in pip_steps(recipe):
        print("pip", step, flush=True)
        arguments = [each for each in shlex.split(step) if each != "--no-cache-dir"]
        run([own, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments], checkout, env)
    said("its packages", begun)
    run([own, "-m", "pip", "check"], checkout, env)
    begun = time.monotonic()
    run([checkout / "binder/postBuild"], checkout, env)
    said("binder/postBuild", begun)
    begun = time.monotonic()
    first = sorted((checkout / "notebooks").glob("[0-9]*.ipynb"))[0]
    nbconvert = ["-m", "nbconvert", "--to", "notebook", "--execute", "--stdout", first]
    run([own, *nbconvert], checkout, env, stdout=subprocess.DEVNULL)
    said(f"{first.name}, run there", begun)
    listed = subprocess.run(
        [own, "-m", "jupyter", "labextension", "list"], env=env, capture_output=True, text=True
    )
    wanted = ("anywidget", "jupyter-server-proxy")
    lacking = [
        name for name in wanted if not re.search(f"{name}.*OK", listed.stderr + listed.stdout)
    ]
    return fail(f"JupyterLab lacks {', '.join(lacking)}") if lacking else 0


def rendered(tool: Path) -> str:
    """Return the recipe (a Dockerfile) that repo2docker makes of the repository."""
    asked = [tool, "-m", "repo2docker", "--no-build", "--debug", "--user-id", "1000"]
    done = subprocess.run(
        [*asked, "--user-name", "jovyan", ROOT], capture_output=True, text=True, check=True
    )
    return done.stdout + done.stderr


def image_of(tool: Path, recipe: str) -> tuple[str, dict[str, str]]:
    """Return the Python of the image, and the versions of what it has."""
    match = re.search(r"conda environment for python=([\d.]+)", recipe)
    if match is None or "unspecified" in recipe:
        sys.exit("repo2docker has not understood binder/runtime.txt")
    asked = "import repo2docker; print(repo2docker.__path__[0])"
    home = Path(subprocess.check_output([tool, "-c", asked], text=True).strip())
    lock = home / f"buildpacks/conda/environment.py-{match[1]}-linux-64.lock"
    names = "|".join(BASE).replace("-", "[-_]")
    found = re.findall(rf"/({names})-([0-9][^-/]*)-[^/]*\.conda", lock.read_text(encoding="utf-8"))
    return match[1], {name.replace("jupyterhub-base", "jupyterhub"): v for name, v in found}


def pip_steps(recipe: str) -> Iterator[str]:
    """Yield what the recipe calls pip with."""
    yield from re.findall(r"^RUN \$\{KERNEL_PYTHON_PREFIX\}/bin/pip (.*)$", recipe, re.MULTILINE)


def made(place: Path, python: str | Path, *wanted: str) -> Path:
    """Return the Python of a new environment with these installed."""
    subprocess.run([python, "-m", "venv", place], check=True)
    own = place / "bin" / "python"
    install = [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted]
    subprocess.run(install, check=True)
    return own


def run(command: list[object], cwd: Path, env: dict[str, str], **more: int) -> None:
    """Run a step, and end if it fails."""
    subprocess.run([str(part) for part in command], cwd=cwd, env=env, check=True, **more)  # type: ignore[call-overload]


def said(what: str, begun: float) -> None:
    """Say how long a step took."""
    print(f"{what}: {time.monotonic() - begun:.0f} s", flush=True)


def fail(message: str) -> int:
    """Say what is wrong; return the exit code."""
    print(message, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
