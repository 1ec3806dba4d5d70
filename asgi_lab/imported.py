"""Change what a module holds, the moment it is imported; or at once, if it is imported already."""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

Change = Callable[[ModuleType], None]


class WhenImported(MetaPathFinder):
    """Of pairs `(name, change)`, calls `change(module)` when a module of that name has just run.

    The module is found and loaded by whoever would have done so anyway, and keeps its own loader.
    """

    def __init__(self, changes: Iterable[tuple[str, Change]]) -> None:
        self._changes: dict[str, list[Change]] = defaultdict(list)
        for name, change in changes:
            self._changes[name].append(change)

    def start(self) -> None:
        """Change what is imported already, and from now on what will be."""
        sys.meta_path.insert(0, self)
        for name in self._changes:
            if module := sys.modules.get(name):
                self._change(module, name)

    def stop(self) -> None:
        """Change nothing more. What has been changed stays so."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module by the finders after this one, and have it changed when it is loaded."""
        if name not in self._changes or self not in sys.meta_path:
            return None
        for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:
            if spec := finder.find_spec(name, path, target):
                if spec.loader is not None:
                    self._then(spec.loader, name)
                return spec
        return None

    def _change(self, module: ModuleType, name: str) -> None:
        for change in self._changes[name]:
            change(module)

    def _then(self, loader: Loader, name: str) -> None:
        """Let this loader of one module change it, once it has run."""
        run = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            run(module)
            self._change(module, name)

        loader.exec_module = exec_module  # type: ignore[method-assign]
