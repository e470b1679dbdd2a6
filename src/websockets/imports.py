"""Floor 0, words: names that are opened on first use.

A module calls :func:`lazy_import` with a table of names and the rooms they live
in. Nothing is imported then. The first time someone asks for a name, its room is
imported and the name is kept in the module, so that the second time costs what
any global costs.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

__all__ = ["lazy_import"]


def lazy_import(namespace: dict[str, Any], aliases: Mapping[str, str]) -> None:
    """Make a module open names from other modules on first use.

    An alias's room is written as

    - ``".room"``: the object of the same name in that module, or, when the module
      has no such object, the submodule of that name;
    - ``".room:other"``: the object called ``other`` there;
    - ``"."``: the submodule of that name of the module's own package.

    Relative rooms start at the module's package. Threads may ask for the same name
    at the same time: the import system makes the room once, and both get it.

    Args:
        namespace: the module's ``globals()``. ``__getattr__`` and ``__dir__`` are
            added to it.
        aliases: where each name lives.

    Raises:
        ValueError: a name is defined in the module already, where it would hide
            its alias for ever.

    """
    if defined := sorted(aliases.keys() & namespace.keys()):
        raise ValueError(f"already defined: {', '.join(defined)}")
    table = dict(aliases)
    package: str = namespace["__package__"]
    module: str = namespace["__name__"]

    def __getattr__(name: str) -> Any:
        if (target := table.get(name)) is None:
            raise _no_attribute(module, name)
        # A plain assignment is atomic; two threads store the same object.
        value = namespace[name] = _open(package, target, name)
        return value

    def __dir__() -> list[str]:
        return sorted(namespace.keys() | table.keys())

    _install(namespace, __getattr__, __dir__)


def _install(
    namespace: dict[str, Any],
    getter: Callable[[str], Any],
    lister: Callable[[], list[str]],
) -> None:
    """Add the two functions of PEP 562 to a module."""
    namespace["__getattr__"] = getter
    namespace["__dir__"] = lister


def _no_attribute(module: str, name: str) -> AttributeError:
    """Make the error for an unknown name; Python adds "Did you mean" to it."""
    return AttributeError(
        f"module {module!r} has no attribute {name!r}",
        name=name,
        obj=sys.modules.get(module),
    )


def _open(package: str, target: str, name: str) -> Any:
    """Import a name's room and return what the name stands for there."""
    room, _, original = target.partition(":")
    if room == ".":
        return importlib.import_module(f".{original or name}", package)
    module = importlib.import_module(room, package)
    return _look_up(module, original or name)


def _look_up(module: ModuleType, name: str) -> Any:
    """Return a module's object or submodule of that name."""
    try:
        return getattr(module, name)
    except AttributeError:
        if not hasattr(module, "__path__"):
            raise
    return importlib.import_module(f"{module.__name__}.{name}")
