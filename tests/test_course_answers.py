"""Exercises: stubs fail as they should, right answers pass, wrong ones are told what helps."""

import ast
import re
from pathlib import Path

import pytest

from asgi_lab.lesson.authoring.stubs import differences
from asgi_lab.lesson.checking import todo
from asgi_lab.lesson.course import Numbered, checks_of, exercises_of
from tests.answers import COURSE, EXERCISES, NAME, answers_to, folder_of, outcome_of, told

LINES = 45
"""Of a stub, at most: what a learner takes in at a glance."""

RIGHT, WRONG = 2, 3
"""Answers of each kind that an exercise is proved by, at least."""

OURS = re.compile(r"0x[0-9a-f]{6,}|/(home|root|tmp|work|usr|Users)/|site-packages|127\.0\.0\.1:\d+")
"""What differs from machine to machine."""


def cases(kind: str) -> list[object]:
    return [
        pytest.param(each, file, id=f"{each.id}-{file.stem}")
        for each in EXERCISES.values()
        for file in answers_to(each, kind)
    ]


every = pytest.mark.parametrize("numbered", EXERCISES.values(), ids=EXERCISES)


@every
def test_a_stub_fails_by_its_first_check_and_says_whose_turn_it_is(numbered: Numbered) -> None:
    outcome = outcome_of(numbered, numbered.file)
    assert outcome.passed == ()
    assert outcome.failed == numbered.exercise.checks[0].name
    assert outcome.failure is not None
    assert (outcome.failure.expected, outcome.failure.shown) == (todo().expected, todo().shown)
    assert outcome.printed == ""


@every
def test_its_solution_passes(numbered: Numbered) -> None:
    solution = COURSE / "solutions" / numbered.file.relative_to(COURSE / "exercises")
    outcome = outcome_of(numbered, solution)
    assert outcome.ok, told(numbered, outcome)
    assert outcome.passed == tuple(check.name for check in numbered.exercise.checks)


@pytest.mark.parametrize(("numbered", "file"), cases("right"))
def test_other_right_answers_pass(numbered: Numbered, file: Path) -> None:
    outcome = outcome_of(numbered, file)
    assert outcome.ok, told(numbered, outcome)


@pytest.mark.parametrize(("numbered", "file"), cases("wrong"))
def test_a_wrong_answer_is_told_what_helps(numbered: Numbered, file: Path) -> None:
    """To the letter. After a change: `python -m tests.answers --write`, and read it."""
    outcome = outcome_of(numbered, file)
    assert not outcome.ok, "it passes"
    assert outcome.failure is not None
    assert outcome.failure.shown != todo().shown
    now = told(numbered, outcome)
    assert now == file.with_suffix(".txt").read_text(encoding="utf-8")
    assert not OURS.search(now)


@every
def test_it_is_proved_by_enough_answers_and_has_hints(numbered: Numbered) -> None:
    exercise = numbered.exercise
    assert len(answers_to(numbered, "right")) >= RIGHT
    assert len(answers_to(numbered, "wrong")) >= WRONG
    assert len(exercise.hints) == 3
    assert len({*exercise.hints}) == 3
    names = [check.name for check in exercise.checks]
    assert names
    assert len({*names}) == len(names)


@every
def test_its_file_tells_the_task(numbered: Numbered) -> None:
    text = numbered.file.read_text(encoding="utf-8")
    task = ast.get_docstring(ast.parse(text)) or ""
    first, *_, last = task.splitlines()
    assert first == f"{numbered.id}  {numbered.exercise.title}."
    assert last == f"Check yourself: asgi-lab check {numbered.id}"
    assert text.count("TODO") == 1
    assert len(text.splitlines()) <= LINES
    assert max(map(len, text.splitlines())) <= 100
    assert all(re.search(rf"\b{name}\b", text) for name in numbered.exercise.needs)


def test_stubs_are_as_their_solutions_make_them() -> None:
    assert differences(COURSE) == []


def test_checks_and_files_belong_together() -> None:
    chapters: dict[str, list[str]] = {}
    for numbered in EXERCISES.values():
        chapters.setdefault(numbered.exercise.chapter, []).append(numbered.exercise.name)
        assert numbered.file.parent.name.partition("_")[2] == numbered.exercise.chapter
    for file in (COURSE / "asgi_lab/lesson/checks").glob("[!_]*.py"):
        names = [each.name for each in checks_of(file.stem)]
        assert chapters.get(file.stem) == names, "files are numbered in the order of EXERCISES"
    numbers = {each.id: each.file for each in exercises_of(COURSE, "solutions")}
    assert [*numbers] == [*EXERCISES]


def test_there_are_no_stray_files() -> None:
    stubs = {each.file for each in EXERCISES.values()}
    solutions = {COURSE / "solutions" / f.relative_to(COURSE / "exercises") for f in stubs}
    assert files(COURSE / "exercises") - {COURSE / "exercises/README.md"} == stubs
    assert files(COURSE / "solutions") - {COURSE / "solutions/README.md"} == solutions
    folders = {folder_of(each) for each in EXERCISES.values()}
    for file in files(COURSE / "tests/answers"):
        if file.parent == COURSE / "tests/answers":
            assert file.name in ("__init__.py", "__main__.py"), file
            continue
        assert file.parent in folders, f"{file} answers no exercise"
        match = NAME.fullmatch(file.stem)
        assert match, file
        golden = file.suffix == ".txt"
        assert file.suffix == ".py" or (golden and match[1] == "wrong"), file
        assert file.with_suffix(".py").is_file(), f"{file} belongs to no answer"


def files(folder: Path) -> set[Path]:
    hidden = ("__pycache__", ".ipynb_checkpoints")
    return {f for f in folder.rglob("*") if f.is_file() and not {*f.parts} & {*hidden}}
