"""The same traces in a browser's Python, which has no threads: run with Node, from npm's `pyodide`.

python -m proofs.browser

Exits with 1 if a digest differs from this Python's, and says by name what it cannot run.
"""

import asyncio
import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from proofs.browser_apps import digests

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build" / "browser"
PACKAGE = "pyodide"


def main() -> int:
    """Compare, and return the exit code."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        print("skipped: a browser's Python (Pyodide) needs node and npm, which are not here")
        return 0
    BUILD.mkdir(parents=True, exist_ok=True)
    (BUILD / "package.json").write_text('{"private": true, "type": "module"}\n')
    shutil.copy(ROOT / "proofs" / "browser.mjs", BUILD / "browser.mjs")
    quiet = ["--no-audit", "--no-fund", "--loglevel", "error"]
    installed = subprocess.run(["npm", "install", *quiet, PACKAGE], cwd=BUILD, check=False)
    if installed.returncode:
        print(f"skipped: a browser's Python: npm cannot install {PACKAGE}")
        return 0
    packages = sysconfig.get_paths()["purelib"]
    command = ["node", "browser.mjs", str(ROOT), packages]
    done = subprocess.run(command, cwd=BUILD, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout[-2000:], done.stderr[-2000:])
        return 1
    there = json.loads(done.stdout.splitlines()[-1])
    here = asyncio.run(digests())
    print(f"Python {sys.version.split()[0]} {sys.platform} and {there['python']}:")
    differ = 0
    for name, digest in here.items():
        same = there["found"].get(name) == digest
        differ += not same
        print(f"  {name:20} {digest}  {'equal' if same else 'there: ' + there['found'].get(name)}")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
