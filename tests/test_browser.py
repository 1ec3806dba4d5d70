"""Virtual time in a browser's Python, where there are no threads."""

import subprocess
import sys
from pathlib import Path

import pytest


def test_traces_are_the_same_in_a_browsers_python() -> None:
    command = [sys.executable, "-m", "proofs.browser"]
    root = Path(__file__).parent.parent
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.stdout.startswith("skipped"):
        pytest.skip(done.stdout.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("  equal\n") == 9
