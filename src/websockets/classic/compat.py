"""Floor 5, faces: code of the modern era that uses the classic names.

``websockets.connect`` and ``websockets.serve`` are the classic face. Code that was
written for versions where they were the modern one runs all the same: arguments by
their modern names, and hooks in the shape that the modern face has. All that it
takes to tell the eras apart is here.

A hook is of the modern era if its first parameter is a connection, which its
annotation tells, or else its name. If that is ``_``, the second parameter decides:
is it a request? Whatever leaves a doubt is classic. :func:`modern_hook` and
:func:`classic_hook` say it expressly.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from ..asyncio.arguments import check_arguments
from ..asyncio.connection import Connection
from ..http11 import Request
from .protocol import WebSocketCommonProtocol

__all__ = [
    "Hook",
    "as_hook",
    "classic_hook",
    "make_modern_client",
    "make_modern_server",
    "modern_hook",
    "pick_headers",
    "split_factory",
]

HookT = TypeVar("HookT", bound=Callable[..., Any])

#: What modern hooks are called with, made of the connection and what classic
#: hooks are called with.
MODERN_ARGUMENTS: dict[str, Callable[..., tuple[Any, ...]]] = {
    "process_request": lambda connection, path, headers: (
        connection,
        connection.request,
    ),
    "select_subprotocol": lambda connection, offered, supported: (connection, offered),
}

#: How parameters of modern hooks are called, by what they are.
_NAMES = {
    Connection: {"conn", "connection", "server_connection", "websocket", "ws"},
    Request: {"req", "request"},
}

#: Class names in annotations that can't be evaluated, by what they are.
_CLASSES = {
    Connection: {
        *{"Connection", "ServerConnection"},
        *{"WebSocketCommonProtocol", "WebSocketServerProtocol"},
    },
    Request: {"Request"},
}

#: Annotations that say nothing, so that the name does.
_SILENT = (inspect.Parameter.empty, Any, object, "Any", "object")

_ERA = "_websockets_era"


def modern_hook(hook: HookT) -> HookT:
    """
    Say that a hook is to be called in the modern way.

    Args:
        hook: a ``process_request`` of the connection and the request, or a
            ``select_subprotocol`` of the connection and what the client offers.

    """
    return _say(hook, "modern")


def classic_hook(hook: HookT) -> HookT:
    """
    Say that a hook is to be called in the classic way.

    Args:
        hook: a ``process_request`` of the path and the headers, or a
            ``select_subprotocol`` of what the client offers and the server speaks.

    """
    return _say(hook, "classic")


def _say(hook: HookT, era: str) -> HookT:
    try:
        setattr(hook, _ERA, era)
    except AttributeError:
        # Methods of objects, for example, take no attributes.
        said: Any = functools.partial(hook)
        setattr(said, _ERA, era)
        return said  # type: ignore[no-any-return]
    return hook


class Hook:
    """
    A hook of either era, called with what classic hooks are called with.

    Args:
        name: name of the argument.
        function: the hook.

    Attributes:
        modern: whether it is called in the modern way.

    """

    __slots__ = ("_arguments", "function", "modern")

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.function = function
        self.modern = _is_modern(function)
        self._arguments = MODERN_ARGUMENTS[name]

    def __call__(self, connection: Connection, *arguments: Any) -> Any:
        """Call the hook, for a connection."""
        if self.modern:
            arguments = self._arguments(connection, *arguments)
        return self.function(*arguments)


def as_hook(name: str, hook: Hook | Callable[..., Any] | None) -> Hook | None:
    """
    Look at a hook, unless that was done.

    Args:
        name: name of the argument.
        hook: its value.

    Raises:
        TypeError: if it isn't a function.

    """
    if hook is None or isinstance(hook, Hook):
        return hook
    return Hook(name, hook)


def _is_modern(hook: Callable[..., Any]) -> bool:
    era = getattr(hook, _ERA, None)
    if era in ("modern", "classic"):
        return bool(era == "modern")
    try:
        parameters = inspect.signature(hook).parameters.values()
    except (TypeError, ValueError):
        # Some callables of other languages don't tell.
        return False
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    positional = [item for item in parameters if item.kind in kinds]
    if len(positional) < 2:
        return False
    first, second = positional[:2]
    if not first.name.strip("_") and first.annotation in _SILENT:
        return _is(second, Request)
    return _is(first, Connection)


def _is(parameter: inspect.Parameter, kind: type) -> bool:
    """Tell whether a parameter is for an object of that kind."""
    annotation = parameter.annotation
    if annotation in _SILENT:
        return parameter.name.strip("_") in _NAMES[kind]
    if isinstance(annotation, str):
        return annotation.strip("\"'").rpartition(".")[2] in _CLASSES[kind]
    return isinstance(annotation, type) and issubclass(annotation, kind)


def pick_headers(extra_headers: Any, options: dict[str, Any]) -> Any:
    """
    Return the headers that a client adds, whatever the argument was called.

    Args:
        extra_headers: the headers by their classic name.
        options: arguments by name; ``additional_headers`` is taken out.

    Raises:
        TypeError: if they were given by both names, or aren't headers.

    """
    additional_headers = options.pop("additional_headers", None)
    check_arguments(extra_headers=extra_headers, additional_headers=additional_headers)
    if additional_headers is None:
        return extra_headers
    if extra_headers is not None:
        raise TypeError(
            "extra_headers and additional_headers are the same: provide one of them"
        )
    return additional_headers


def split_factory(create_protocol: Any, options: dict[str, Any]) -> tuple[Any, Any]:
    """
    Tell which connections are to be made.

    Args:
        create_protocol: makes classic connections, or None.
        options: arguments by name; ``create_connection`` is taken out.

    Returns:
        What makes classic connections, and what makes modern ones.

    Raises:
        TypeError: if there are both.

    """
    create_connection = options.pop("create_connection", None)
    check_arguments(create_connection=create_connection)
    if create_connection is None:
        return create_protocol, None
    if create_protocol is not None:
        raise TypeError(
            "create_protocol and create_connection both make connections: "
            "provide one of them"
        )
    is_class = isinstance(create_connection, type)
    if is_class and issubclass(create_connection, WebSocketCommonProtocol):
        return create_connection, None
    return None, create_connection


def make_modern_server(
    *arguments: Any, extra_headers: Any = None, **options: Any
) -> Any:
    """
    Make a modern server, with what a classic one was given.

    Raises:
        TypeError: if ``extra_headers`` is among it.

    """
    from ..asyncio.server import serve

    if extra_headers is not None:
        raise TypeError(
            "extra_headers doesn't go with create_connection: provide "
            "process_response, which may add headers"
        )
    # Compression is among the extensions already.
    return serve(*arguments, compression=None, **options)


def make_modern_client(uri: Any, **options: Any) -> Any:
    """Make what connects a modern client, with what a classic one was given."""
    from ..asyncio.client import connect

    return connect(uri, compression=None, **options)
