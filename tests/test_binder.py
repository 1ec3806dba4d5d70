"""`binder/`: what can be seen without building it. `make binder-check` does its steps."""

import os
import re
from pathlib import Path

from tests.answers import COURSE

BINDER = COURSE / "binder"


def test_it_is_pinned_as_everything_else() -> None:
    constraints = (COURSE / "constraints.txt").read_text(encoding="utf-8").splitlines()
    lines = (BINDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    package, *pins = [line for line in lines if not line.startswith("#")]
    assert package.startswith(".[")
    assert {*pins} <= {*constraints}, "renew it: python -m proofs.binder --write"
    assert not [
        pin for pin in pins if pin.startswith(("jupyterlab==", "notebook==", "ipykernel=="))
    ]


def test_its_python_is_one_of_ours() -> None:
    version = re.fullmatch(r"python-(3\.\d+)\n", (BINDER / "runtime.txt").read_text())
    assert version
    assert f"Python :: {version[1]}" in (COURSE / "pyproject.toml").read_text(encoding="utf-8")


def test_its_last_step_is_a_program_and_opens_a_chapter_that_exists() -> None:
    script = BINDER / "postBuild"
    assert os.access(script, os.X_OK)
    assert script.read_bytes().startswith(b"#!/bin/bash\n")
    opened = re.findall(r"/lab/tree/(\S+?\.ipynb)", script.read_text(encoding="utf-8"))
    assert opened
    assert all((COURSE / path).is_file() for path in opened)
    assert {path.name for path in BINDER.iterdir()} == {
        "requirements.txt",
        "runtime.txt",
        "postBuild",
    }, "an environment.yml would be read instead of requirements.txt"
    assert Path(opened[0]).name.startswith("00_")
