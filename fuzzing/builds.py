"""The builds that are compared with each other.

``websockets`` is whatever is installed. If that is the compiled build, the plain
files in ``src`` are loaded beside it, as a package of another name: all imports in
there are relative, so the two share nothing.
"""

from __future__ import annotations

import functools
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

SOURCE = Path(__file__).resolve().parent.parent / "src" / "websockets"

#: The name under which the plain files are loaded.
PLAIN = "websockets_plain"


class Build(NamedTuple):
    """A build of the package.

    Attributes:
        name: "plain" or "compiled".
        package: the package's name.

    """

    name: str
    package: str

    def module(self, name: str) -> Any:
        """Import a module of the package."""
        return _import(f"{self.package}.{name}")


@functools.cache
def _import(name: str) -> ModuleType:
    return importlib.import_module(name)


class _PlainFinder(importlib.abc.MetaPathFinder):
    """Finds the plain files under their other name."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """Find the package; what is in it is found by its path."""
        if fullname != PLAIN:
            return None
        return importlib.util.spec_from_file_location(
            PLAIN, SOURCE / "__init__.py", submodule_search_locations=[str(SOURCE)]
        )


@functools.cache
def find_builds() -> list[Build]:
    """Return the builds that there are; the installed one comes first."""
    if not _import("websockets.speedups").compiled:
        return [Build("plain", "websockets")]
    installed = Build("compiled", "websockets")
    if not (SOURCE / "reader.py").exists():
        return [installed]
    sys.meta_path.append(_PlainFinder())
    return [installed, Build("plain", PLAIN)]
