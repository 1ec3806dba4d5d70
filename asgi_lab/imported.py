"""Change what a module holds, the moment it is imported; or at once, if it is imported already."""

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

Change = Callable[[ModuleType], None]


class WhenImported(MetaPathFinder):
    """Calls `changes[name](module)` right after the code of a module of that name has run.

    The module is found and loaded by whoever would have done so anyway, and keeps its own loader.
    """

    def __init__(self, changes: Mapping[str, Change]) -> None:
        self._changes = changes

    def start(self) -> None:
        """Change what is imported already, and from now on what will be."""
        sys.meta_path.insert(0, self)
        for name, change in self._changes.items():
            if module := sys.modules.get(name):
                change(module)

    def stop(self) -> None:
        """Change nothing more. What has been changed stays so."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module by the finders after this one, and have it changed when it is loaded."""
        change = self._changes.get(name)
        if change is None or self not in sys.meta_path:
            return None
        for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:
            if spec := finder.find_spec(name, path, target):
                if spec.loader is not None:
                    then(spec.loader, change)
                return spec
        return None


def then(loader: Loader, change: Change) -> None:
    """Let this loader of one module change it, once it has run."""
    run = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        run(module)
        change(module)

    loader.exec_module = exec_module  # type: ignore[method-assign]
