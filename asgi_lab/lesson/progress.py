"""What a learner has done so far: a plain file beside the course, to be read, kept or deleted.

{"05.1": "passed", "05.2": "tried", "predicted": {"03.1": "20 s"}}
"""

import json
from collections.abc import Sequence
from pathlib import Path

NAME = "progress.json"
PASSED, TRIED = "passed", "tried"


class Progress:
    """The file of one course. A file that cannot be read counts as none; writing may fail."""

    def __init__(self, course: Path) -> None:
        self.file = course / NAME
        try:
            known = json.loads(self.file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            known = {}
        self._known: dict[str, str] = {
            key: value
            for key, value in (known.items() if isinstance(known, dict) else ())
            if isinstance(value, str)
        }

    def passed(self, id: str) -> bool:
        """Return whether an exercise has been passed."""
        return self._known.get(id) == PASSED

    def note(self, id: str, ok: bool) -> None:
        """Note how an exercise went; what has been passed stays passed. Raises `OSError`."""
        if self.passed(id):
            return
        self._known[id] = PASSED if ok else TRIED
        text = json.dumps(dict(sorted(self._known.items())), indent=1)
        self.file.write_text(text + "\n", encoding="utf-8")

    def next_of(self, ids: Sequence[str]) -> str | None:
        """Return the first exercise that has not been passed, of these."""
        return next((id for id in ids if not self.passed(id)), None)
