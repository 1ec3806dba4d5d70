"""Learners' answers, right and wrong, and what each wrong one is told: the golden texts.

tests/answers/05_scope_receive_send/1_echo/right_1.py
tests/answers/05_scope_receive_send/1_echo/wrong_1.py    a likely mistake
tests/answers/05_scope_receive_send/1_echo/wrong_1.txt   what `asgi-lab check` says to it

python -m tests.answers              what would be told now, where it is not what is kept
python -m tests.answers --write 05   keep it; then read it as the one who made that mistake
"""

import asyncio
import logging
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

from asgi_lab.lesson.answers import load_answer
from asgi_lab.lesson.checking import Outcome, check_answer
from asgi_lab.lesson.course import Numbered, exercises_of
from asgi_lab.lesson.shown import outcome_view
from asgi_lab.view.plaintext import plaintext

HERE = Path(__file__).parent
COURSE = HERE.parent.parent
NAME = re.compile(r"(right|wrong)_([1-9]\d*)")

EXERCISES = {each.id: each for each in exercises_of(COURSE)}


def folder_of(numbered: Numbered) -> Path:
    """Return where the answers to an exercise are kept."""
    return HERE / numbered.file.relative_to(COURSE / "exercises").with_suffix("")


def answers_to(numbered: Numbered, kind: str) -> list[Path]:
    """Return the answers of a kind, `right` or `wrong`, in order of their numbers."""
    found = [(NAME.fullmatch(file.stem), file) for file in folder_of(numbered).glob("*.py")]
    return [f for _, f in sorted((int(m[2]), f) for m, f in found if m and m[1] == kind)]


def outcome_of(numbered: Numbered, file: Path) -> Outcome:
    """Check an answer as the command does, in an event loop of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        answer = load_answer(file)
    logging.disable()  # pytest keeps what is logged, and with a traceback all that is in its frames
    try:
        return asyncio.run(check_answer(numbered.exercise, answer))
    finally:
        logging.disable(logging.NOTSET)


def told(numbered: Numbered, outcome: Outcome) -> str:
    """Return what a learner reads, without colours."""
    title = f"{numbered.id}  {numbered.exercise.title}"
    return plaintext(outcome_view(outcome, title)) + "\n"


def wrong_answers(chapters: list[str]) -> Iterator[tuple[Numbered, Path]]:
    """Yield the wrong answers of these chapters, or of all."""
    for numbered in EXERCISES.values():
        if not chapters or {numbered.id, numbered.id.partition(".")[0]} & set(chapters):
            yield from ((numbered, file) for file in answers_to(numbered, "wrong"))
