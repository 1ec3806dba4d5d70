"""`python -m proofs.wheel`: the package as people install it has the course in it, and it works.

Builds a source archive, and of that a wheel, as for a release; installs the wheel into an empty
environment, outside of this checkout; then is a learner for a minute.
"""

import os
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
CONSTRAINTS = ROOT / "constraints.txt"
FOLDERS = ("notebooks", "exercises", "solutions")


def main() -> int:
    """Build, install, try; return the exit code."""
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        sdist, wheel = built(place / "dist")
        wanted = course_files()
        with tarfile.open(sdist) as archive:
            inside = {name.partition("/")[2] for name in archive.getnames()}
        complain("the source archive lacks", wanted - inside)
        with zipfile.ZipFile(wheel) as archive:
            course = {n.removeprefix("asgi_lab/course/") for n in archive.namelist()}
        complain("the wheel lacks", wanted - course)
        python = environment(place / "installed", str(wheel))
        learner = place / "learner"
        learner.mkdir()
        tell(python, learner, "lab", "--copy-only", code=0, says="of the course copied")
        here = learner / "asgi-lab-course"
        tell(python, here, "check", "--list", code=0, says="0 of ")
        tell(python, here, "check", "05.1", code=1, says="the TODO is still open")
        solution = ROOT / "solutions/05_scope_receive_send/1_echo.py"
        exercise = here / "exercises" / solution.relative_to(ROOT / "solutions")
        exercise.write_bytes(solution.read_bytes())
        tell(python, here, "check", "05.1", code=0, says="next: ")
        tell(python, learner, "lab", code=2, says="pip install 'asgi-lab[course]'")
        switched(python)
    print("the wheel has the course, and the course works")
    return 0


def built(place: Path) -> tuple[Path, Path]:
    """Return a source archive, and the wheel that is made of it."""
    python = environment(place / "builder", "build")
    subprocess.run([python, "-m", "build", "--outdir", place, ROOT], check=True, stdout=sys.stderr)
    (sdist,), (wheel,) = place.glob("*.tar.gz"), place.glob("*.whl")
    return sdist, wheel


def environment(place: Path, *wanted: str) -> Path:
    """Return the Python of a new environment with these installed."""
    venv.create(place, with_pip=True)
    python = place / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "--constraint", CONSTRAINTS, *wanted], check=True)
    return python


def course_files() -> set[str]:
    """Return what the course consists of, as git knows it."""
    listed = subprocess.check_output(["git", "ls-files", *FOLDERS], cwd=ROOT, text=True)
    return {*listed.split()}


def tell(python: Path, cwd: Path, *arguments: str, code: int, says: str) -> None:
    """Run the installed command, which ends with this code and says this."""
    command = [python.parent / "asgi-lab", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    said = f" {done.stdout}{done.stderr}"
    print("asgi-lab", *arguments, "→", done.returncode)
    if done.returncode != code or says not in said:
        sys.exit(f"expected the code {code} and {says!r}, got {done.returncode}:\n{said}")


def complain(what: str, missing: set[str]) -> None:
    """End if something is missing."""
    if missing:
        sys.exit(f"{what}: {', '.join(sorted(missing))}")


def switched(python: Path) -> None:
    """See that the variable reaches a server that is started without us."""
    script = "from uvicorn.config import Config; print(hasattr(Config.load, '__wrapped__'))"
    for value, expected in (("1", "True"), ("0", "False")):
        env = {**os.environ, "ASGI_LAB_TRACE": value}
        said = subprocess.check_output([python, "-c", script], env=env, text=True).strip()
        print(f"ASGI_LAB_TRACE={value} → {said}")
        if said != expected:
            sys.exit(f"expected {expected}, got {said}: is asgi_lab_trace.pth in the wheel?")


if __name__ == "__main__":
    sys.exit(main())
