"""Floor 4, engine: arguments that all faces take, checked at the call."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar, cast

from ..headers import validate_subprotocols
from ..session.settings import Settings, check_max_size
from ..typing import Subprotocol

__all__ = [
    "check_callable",
    "check_options",
    "check_select",
    "check_settings",
    "check_subprotocols",
    "with_compression",
]

FactoryT = TypeVar("FactoryT")


def with_compression(
    extensions: Sequence[FactoryT] | None,
    compression: str | None,
    enable: Callable[[Sequence[FactoryT] | None], Sequence[FactoryT]],
) -> Sequence[FactoryT] | None:
    """
    Add to extensions what a ``compression`` argument says.

    Args:
        extensions: extensions of the caller.
        compression: "deflate" for compression; None for none.
        enable: adds it to the extensions, unless it's among them.

    Raises:
        ValueError: if ``compression`` is neither.

    """
    if compression == "deflate":
        return enable(extensions)
    if compression is not None:
        raise ValueError(f"unsupported compression: {compression}")
    return extensions


def check_subprotocols(subprotocols: Sequence[Subprotocol | str] | None) -> None:
    """
    Check a ``subprotocols`` argument.

    Raises:
        TypeError: if it is a str, or not a sequence.
        ValueError: if one isn't a valid name.

    """
    if subprotocols is not None:
        validate_subprotocols(cast(Sequence[Subprotocol], subprotocols))


def check_settings(max_size: Any, **settings: Any) -> None:
    """
    Check what connections are set up with, before there is one.

    Raises:
        TypeError: if one is of the wrong type.
        ValueError: if one makes no sense.

    """
    check_max_size(max_size)
    Settings(**settings)


def check_callable(**functions: Any) -> None:
    """
    Check arguments that are functions, or None.

    Raises:
        TypeError: if one isn't.

    """
    for name, function in functions.items():
        if function is not None and not callable(function):
            raise TypeError(f"{name} must be a function, not {type(function).__name__}")


def check_select(select_subprotocol: Any) -> None:
    """
    Check a ``select_subprotocol`` argument.

    Raises:
        TypeError: if it isn't a function, or is an async one.

    """
    check_callable(select_subprotocol=select_subprotocol)
    if inspect.iscoroutinefunction(select_subprotocol):
        raise TypeError("select_subprotocol must be a plain function, not an async one")


def check_options(caller: str, options: Iterable[str]) -> None:
    """
    Check the names of arguments that go to the event loop.

    Args:
        caller: name of the function that they were given to: connect or serve.
        options: their names.

    Raises:
        TypeError: if there's no argument of such a name.

    """
    for name in options:
        if name not in _option_names(caller):
            raise TypeError(f"{caller}() got an unexpected keyword argument '{name}'")


@functools.cache
def _option_names(caller: str) -> set[str]:
    """Return the names of arguments that make connections or servers."""
    kind = "server" if caller == "serve" else "connection"
    loops = (asyncio.BaseEventLoop, asyncio.AbstractEventLoop)
    return {
        name
        for loop in loops
        for method in (f"create_{kind}", f"create_unix_{kind}")
        for name in inspect.signature(getattr(loop, method)).parameters
    } - {"self", "protocol_factory"} | {"unix"}
