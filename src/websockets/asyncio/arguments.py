"""Floor 4, engine: arguments that all faces take, checked at the call."""

from __future__ import annotations

import asyncio
import functools
import inspect
import re
import ssl as ssl_module
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar, cast

from ..datastructures import Headers
from ..headers import validate_subprotocols
from ..hosts import check_hosts
from ..session.settings import Settings, check_max_size
from .connection import Connection

__all__ = [
    "check_arguments",
    "check_connection",
    "check_options",
    "check_settings",
    "given",
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
    check_arguments(extensions=extensions)
    if compression == "deflate":
        return enable(extensions)
    if compression is not None:
        raise ValueError(f"unsupported compression: {compression}")
    return extensions


def check_settings(max_size: Any, **settings: Any) -> None:
    """
    Check what connections are set up with, before there is one.

    Raises:
        TypeError: if one is of the wrong type.
        ValueError: if one makes no sense.

    """
    check_max_size(max_size)
    Settings(**settings)


def given(**arguments: Any) -> dict[str, Any]:
    """
    Return those arguments that aren't None.

    For arguments that came later: functions that make connections, and were
    written before, don't take them.
    """
    return {name: value for name, value in arguments.items() if value is not None}


def check_arguments(**arguments: Any) -> None:
    """
    Check arguments that both faces have, by their names. None passes, but for
    what can't be left out.

    Raises:
        TypeError: if one is of the wrong type.
        ValueError: if one has a value that makes no sense.

    """
    for name, value in arguments.items():
        if value is not None or name in _REQUIRED:
            _CHECKS[name](name, value)


def _check(name: str, value: object, right: bool, wanted: str) -> None:
    if not right:
        raise TypeError(f"{name} must be {wanted}, not {type(value).__name__}")


def _check_function(name: str, value: object) -> None:
    _check(name, value, callable(value), "a function")


def _check_plain_function(name: str, value: object) -> None:
    _check_function(name, value)
    if inspect.iscoroutinefunction(value):
        raise TypeError(f"{name} must be a plain function, not an async one")


def _check_header(name: str, value: object) -> None:
    _check(name, value, isinstance(value, str), "a str")
    try:
        Headers({_HEADERS[name]: cast(str, value)})
    except ValueError as exc:
        raise ValueError(f"{name} makes an {exc}") from exc


def _check_headers(name: str, value: Any) -> None:
    if callable(value):
        return
    try:
        Headers(value)
    except (TypeError, ValueError) as exc:
        raise type(exc)(f"{name} must be headers: {exc}") from exc


def _check_subprotocols(name: str, value: Any) -> None:
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    _check(name, value, is_list, "a list")
    for item in value:
        _check(name, item, isinstance(item, str), "a list of str")
    validate_subprotocols(value)


def _check_origins(name: str, value: Any) -> None:
    is_list = isinstance(value, Iterable) and not isinstance(value, str)
    _check(name, value, is_list, "a list")
    for item in value:
        is_origin = item is None or isinstance(item, (str, re.Pattern))
        _check(name, item, is_origin, "a list of str, patterns and None")


def _check_extensions(name: str, value: Any) -> None:
    _check(name, value, isinstance(value, Sequence), "a list")
    for item in value:
        _check(name, item, hasattr(item, "name"), "a list of extension factories")


def _check_logger(name: str, value: object) -> None:
    _check(name, value, hasattr(value, "isEnabledFor"), "a logger")


def _check_host(name: str, value: object) -> None:
    _check(name, value, isinstance(value, Iterable), "a str, or several")


def _check_port(name: str, value: object) -> None:
    _check(name, value, isinstance(value, (int, str)), "an int")


#: Arguments that can't be None.
_REQUIRED = {"handler"}

_CHECKS: dict[str, Callable[[str, Any], None]] = {
    **dict.fromkeys(
        ("handler", "create_connection", "create_protocol", "create_router"),
        _check_function,
    ),
    **dict.fromkeys(("process_request", "process_response"), _check_function),
    **dict.fromkeys(("process_exception", "reconnect_delays"), _check_function),
    **dict.fromkeys(("origin", "server_header", "user_agent_header"), _check_header),
    **dict.fromkeys(("additional_headers", "extra_headers"), _check_headers),
    "check_credentials": _check_function,
    "extensions": _check_extensions,
    "host": _check_host,
    "hosts": lambda name, value: check_hosts(value),
    "logger": _check_logger,
    "origins": _check_origins,
    "port": _check_port,
    "select_subprotocol": _check_plain_function,
    "subprotocols": _check_subprotocols,
}

#: Names of headers, by the arguments that give their values.
_HEADERS = {
    "origin": "Origin",
    "server_header": "Server",
    "user_agent_header": "User-Agent",
}


def check_connection(connection: Any) -> Any:
    """
    Return what ``create_connection`` or ``create_protocol`` made.

    Raises:
        TypeError: if it isn't a connection.

    """
    if not isinstance(connection, Connection):
        raise TypeError(
            "create_connection, or create_protocol, must return a connection, "
            f"not {type(connection).__name__}"
        )
    return connection


def check_options(caller: str, options: dict[str, Any]) -> None:
    """
    Check the names of arguments that go to the event loop.

    Args:
        caller: name of the function that they were given to: connect or serve.
        options: the arguments.

    Raises:
        TypeError: if there's no argument of such a name.

    """
    for name in options:
        if name not in _option_names(caller):
            raise TypeError(f"{caller}() got an unexpected keyword argument '{name}'")
    ssl = options.get("ssl")
    if caller == "serve" and ssl is not None:
        _check("ssl", ssl, isinstance(ssl, ssl_module.SSLContext), "an ssl.SSLContext")


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
    } - {"self", "protocol_factory"} | {"proxy" if kind == "connection" else "unix"}
