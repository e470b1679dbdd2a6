"""Floor 4, engine: reaching a server on asyncio.

:func:`dial` makes the transport that a connection runs on: TCP, a Unix socket, a
socket that the caller has, or a way through a proxy; with TLS or without. Where a
server redirects to is judged here too.
"""

from __future__ import annotations

import asyncio
import dataclasses
import ssl as ssl_module
from collections.abc import Callable
from typing import Any, TypeVar

from ..exceptions import InvalidStatus, SecurityError
from ..http11 import Response
from ..uri import WebSocketURI, parse_uri
from .connection import Connection
from .proxying import DIRECT, dial_through
from .tls import default_tls_context
from .transports import find_connector, find_stand_in

__all__ = ["dial", "find_redirect", "is_same_origin"]

ConnectionT = TypeVar("ConnectionT", bound=Connection)

_REDIRECTS = {300, 301, 302, 303, 307, 308}


def check_tls(uri: WebSocketURI, options: dict[str, Any]) -> None:
    """
    Check the TLS arguments of a connection against its URI.

    Raises:
        ValueError: if they contradict each other.
        TypeError: if ``ssl`` is none of a context, True and None.

    """
    ssl = options.get("ssl")
    if ssl is not None and not isinstance(ssl, (bool, ssl_module.SSLContext)):
        raise TypeError(
            f"ssl must be an ssl.SSLContext, True or None, not {type(ssl).__name__}"
        )
    if uri.secure and ssl is False:
        raise ValueError("ssl=False contradicts a wss:// URI; use a ws:// URI")
    if not uri.secure and ssl:
        raise ValueError("ssl was given for a ws:// URI; use a wss:// URI for TLS")


async def dial(
    uri: WebSocketURI,
    factory: Callable[[], ConnectionT],
    options: dict[str, Any],
) -> ConnectionT:
    """
    Make a connection's transport.

    Args:
        uri: where to connect.
        factory: makes the connection.
        options: arguments for the event loop's ``create_connection()``, or for
            ``create_unix_connection()`` where there is a ``path``. ``host``
            and ``port`` override those of the URI; ``proxy`` is what
            :func:`~.proxying.with_proxy` makes, and is for neither a path nor a
            socket.

    Returns:
        The connection, before its opening handshake.

    Raises:
        OSError: if the server, or the proxy, can't be reached.
        ProxyError: if the proxy doesn't open a tunnel.

    """
    loop = asyncio.get_running_loop()
    # What faces make is an asyncio.BufferedProtocol as well.
    make: Callable[[], Any] = factory
    connection: ConnectionT
    options = dict(options)
    settings = options.pop("proxy", DIRECT)
    check_tls(uri, options)
    if uri.secure:
        if options.get("ssl") in (None, True):
            options["ssl"] = default_tls_context()
        if options.get("server_hostname") is None:
            options["server_hostname"] = uri.host
    else:
        options.pop("ssl", None)
    if "path" in options:
        name = "create_unix_connection"
        connect = find_stand_in(loop, name, options["path"])
        if connect is None:
            connect = find_connector(loop, name, options)
        _, connection = await connect(make, **options)
    elif options.get("sock") is not None:
        options.pop("host", None)
        options.pop("port", None)
        connect = find_connector(loop, "create_connection", options)
        _, connection = await connect(make, **options)
    else:
        host = options.pop("host", None) or uri.host
        port = options.pop("port", None) or uri.port
        target = dataclasses.replace(uri, host=host, port=port)
        connect = find_stand_in(loop, "create_connection", (host, port))
        if connect is None:
            proxy = await settings.choose(target)
            if proxy is not None:
                return await dial_through(proxy, settings, target, make, options)  # type: ignore[no-any-return]
            connect = find_connector(loop, "create_connection", options)
        _, connection = await connect(make, host, port, **options)
    return connection


def is_same_origin(one: WebSocketURI, other: WebSocketURI) -> bool:
    """Tell whether two URIs name the same server (RFC 6454, 4)."""
    return (one.secure, one.host.lower(), one.port) == (
        other.secure,
        other.host.lower(),
        other.port,
    )


def find_redirect(uri: WebSocketURI, uri_text: str, response: Response) -> str | None:
    """
    Tell where a response to a handshake redirects to.

    Args:
        uri: where we connected to.
        uri_text: the same as a str.
        response: the server's response.

    Returns:
        A URI; None if the response doesn't redirect.

    Raises:
        SecurityError: if it redirects from TLS to plain text.

    """
    location = response.headers.get("Location")
    if response.status_code not in _REDIRECTS or location is None:
        return None
    # It takes a while to import; servers never need it.
    from urllib.parse import urljoin

    target = urljoin(_to_http(uri_text), location)
    target = _to_ws(target)
    following = parse_uri(target)
    if uri.secure and not following.secure:
        raise SecurityError(
            f"redirect from {uri_text} to {target} would give up TLS"
        ) from InvalidStatus(response)
    return target


# urllib.parse knows how http and https URIs are joined; ws and wss are the same.
_TO_HTTP = {"ws": "http", "wss": "https"}
_TO_WS = {"http": "ws", "https": "wss"}


def _to_http(uri: str) -> str:
    scheme, colon, rest = uri.partition(":")
    return _TO_HTTP.get(scheme.lower(), scheme) + colon + rest


def _to_ws(uri: str) -> str:
    scheme, colon, rest = uri.partition(":")
    return _TO_WS.get(scheme.lower(), scheme) + colon + rest
