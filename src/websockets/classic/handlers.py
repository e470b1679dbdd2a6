"""Floor 5, faces: classic handlers, which may take the path or not."""

from __future__ import annotations

import inspect
import types
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

__all__ = ["Handler", "without_path"]

#: An async function of the connection, or of the connection and the path.
Handler = Callable[..., Awaitable[Any]]

_takes_path: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()


def without_path(handler: Handler) -> Handler:
    """
    Return a handler as an async function of the connection alone.

    Args:
        handler: an async function of the connection, or of the connection and
            the path.

    Raises:
        TypeError: if it is neither.

    """
    if not callable(handler):
        raise TypeError(f"ws_handler must be a function, not {type(handler).__name__}")
    if isinstance(handler, _WithPath) or not _wants_path(handler):
        return handler
    return _WithPath(handler)


class _WithPath:
    """Calls a handler of the connection and the path."""

    __slots__ = ("handler",)

    def __init__(self, handler: Handler) -> None:
        self.handler = handler

    def __call__(self, connection: Any) -> Awaitable[Any]:
        return self.handler(connection, connection.path)


def _wants_path(handler: Handler) -> bool:
    """Tell whether a handler can't be called without the path."""
    # Frameworks hand in a method for each connection; its function is known.
    key = handler.__func__ if isinstance(handler, types.MethodType) else handler
    try:
        return _takes_path[key]
    except (KeyError, TypeError):
        """Not known yet, or of a kind that can't be kept."""
    answer = _inspect_handler(handler)
    try:
        _takes_path[key] = answer
    except TypeError:
        """Of a kind that can't be kept."""
    return answer


def _inspect_handler(handler: Handler) -> bool:
    try:
        signature = inspect.signature(handler)
    except (TypeError, ValueError):
        # Some callables of other languages don't tell.
        return False
    try:
        signature.bind(None)
    except TypeError:
        """Then it may take the path too."""
    else:
        return False
    try:
        signature.bind(None, "")
    except TypeError:
        raise TypeError(
            "ws_handler must take one parameter, the connection, or two, the "
            f"connection and the path: {handler!r} takes {signature}"
        ) from None
    return True
