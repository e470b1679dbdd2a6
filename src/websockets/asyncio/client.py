"""Floor 5, faces: modern clients."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from ..client import ClientProtocol
from ..datastructures import HeadersLike
from ..exceptions import InvalidMessage, InvalidStatus, ProxyError
from ..extensions.base import ClientExtensionFactory
from ..extensions.permessage_deflate import enable_client_permessage_deflate
from ..http11 import USER_AGENT
from ..session.backoff import Backoff
from ..session.limits import Limits
from ..typing import LoggerLike, Origin, Subprotocol
from ..uri import WebSocketURI
from . import opening
from .arguments import (
    check_arguments,
    check_settings,
    given,
    with_compression,
)
from .connecting import Connector, Delays
from .proxying import is_temporary, with_proxy
from .shortcuts import FastConnection

__all__ = ["ClientConnection", "connect", "unix_connect"]

#: HTTP statuses of servers that may accept later.
_RETRYABLE = {500, 502, 503, 504}


class ClientConnection(FastConnection, asyncio.BufferedProtocol):
    """
    A client's connection.

    :func:`connect` makes connections. Its arguments are those of
    :class:`~websockets.asyncio.connection.Connection`.
    """

    async def handshake(
        self,
        additional_headers: HeadersLike | None = None,
        user_agent_header: str | None = USER_AGENT,
    ) -> None:
        """
        Perform the client's side of the opening handshake.

        Args:
            additional_headers: headers to add to the request.
            user_agent_header: value of the User-Agent header; None to send none.

        Raises:
            InvalidHandshake: if the handshake failed.

        """
        assert isinstance(self.protocol, ClientProtocol)
        request = opening.make_request(
            self.protocol, additional_headers, user_agent_header
        )
        await opening.initiate(self, request)

    def connection_lost(self, exc: Exception | None) -> None:
        """End everything; called by the event loop."""
        super().connection_lost(exc)
        protocol = self.protocol
        opened = self.response is not None and protocol.handshake_exc is None
        if opened and protocol._logger.isEnabledFor(logging.INFO):
            # Else it needs no logger of its own.
            self.logger.info("connection closed")
        self.let_go()


def process_exception(exc: Exception) -> Exception | None:
    """
    Tell which failures to connect are worth another attempt.

    That's the default of an argument of :func:`connect`. Network errors,
    timeouts, and servers that answer with HTTP status 500, 502, 503 or 504 are, and
    proxies that do.

    Args:
        exc: why connecting failed.

    Returns:
        None to try again; the exception to raise it.

    """
    if isinstance(exc, (OSError, EOFError, TimeoutError)):
        return None
    if isinstance(exc, InvalidMessage) and isinstance(
        exc.__cause__, (EOFError, OSError, type(None))
    ):
        # The connection was lost before there was a response.
        return None
    if isinstance(exc, InvalidStatus) and exc.response.status_code in _RETRYABLE:
        return None
    if isinstance(exc, ProxyError) and is_temporary(exc):
        return None
    return exc


class connect(Connector[ClientConnection]):
    """
    Connect to a WebSocket server.

    Await it, or use it with ``async with``, which closes the connection at the
    end; either gives a :class:`ClientConnection`. With ``async for`` it connects
    again and again, whenever the connection is closed::

        async for websocket in connect(...):
            try:
                ...
            except websockets.ConnectionClosed:
                continue

    Args:
        uri: where to connect: a ``ws://`` or ``wss://`` URI, or a function, async
            or not, that returns one for each attempt.
        origin: value of the Origin header; None to send none.
        extensions: extensions to offer, most wanted first.
        subprotocols: subprotocols to offer, most wanted first.
        compression: "deflate" to compress messages where the server can; None
            not to.
        additional_headers: headers to add to the request, or a function, async
            or not, that returns them for each attempt.
        user_agent_header: value of the User-Agent header; None to send none.
        proxy: True for the proxy that the system's settings name, if any; the
            address of a proxy, ``http://``, ``https://``, ``socks5h://``,
            ``socks5://``, ``socks4a://`` or ``socks4://``; None to connect
            directly. Connections with a ``path`` or ``sock`` argument are direct.
        process_exception: a function of why connecting failed, which returns
            None for ``async for`` to try again, or the exception to raise.
        open_timeout: seconds for everything until the connection is open; None
            for no limit.
        ping_interval: seconds between keepalive pings; None for no pings.
        ping_timeout: seconds for a sign of life after a keepalive ping, and
            for a write backlog to make progress; None for no limit.
        close_timeout: seconds for the closing handshake; None for no limit.
        reconnect_delays: makes the seconds to wait before each further attempt
            of ``async for``: a function that returns an iterable, asked again
            after a connection that lived a while.
        max_size: most bytes in a received message; None for no limit. A pair
            limits messages and their fragments.
        max_queue: messages that may wait to be received; None for no limit; a
            pair for where to pause and where to resume reading.
        write_limit: bytes that may wait to be written before sending waits; a
            pair for where to pause and where to resume.
        limits: what the server may use, and how fast; None for ``Limits()``. See
            :class:`~websockets.Limits`.
        logger: logger for the connection: a logger or a logger adapter; None
            for ``logging.getLogger("websockets.client")``.
        create_connection: makes the connection: a subclass of
            :class:`ClientConnection`, or a function with its arguments.
        kwargs: arguments for the event loop's ``create_connection()``: ``ssl``,
            ``server_hostname``, ``sock``, ``local_addr``...; ``host`` and
            ``port`` connect elsewhere than the URI says; ``proxy_ssl`` and
            ``proxy_server_hostname`` are for TLS with an ``https://`` proxy.

    Raises:
        InvalidURI: if ``uri`` isn't a valid WebSocket URI.
        InvalidProxy: if ``proxy``, or what the system's settings name, isn't a
            valid proxy.
        OSError: if the server, or the proxy, can't be reached.
        InvalidHandshake: if the opening handshake failed.
        ProxyError: if the proxy doesn't connect us.
        TimeoutError: if the connection isn't open after ``open_timeout``.
        TypeError: if an argument is of the wrong type.
        ValueError: if an argument has a value that makes no sense.

    Cancelling closes what was opened so far.
    """

    def __init__(
        self,
        uri: str | Callable[[], Any],
        *,
        origin: Origin | str | None = None,
        extensions: Sequence[ClientExtensionFactory] | None = None,
        subprotocols: Sequence[Subprotocol | str] | None = None,
        compression: str | None = "deflate",
        additional_headers: HeadersLike | Callable[[], Any] | None = None,
        user_agent_header: str | None = USER_AGENT,
        proxy: str | Literal[True] | None = True,
        process_exception: Callable[[Exception], Exception | None] = process_exception,
        open_timeout: float | None = 10,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        close_timeout: float | None = 10,
        reconnect_delays: Delays = Backoff,
        max_size: int | tuple[int | None, int | None] | None = 2**20,
        max_queue: int | tuple[int | None, int | None] | None = 2**4,
        write_limit: int | tuple[int, int | None] = 2**15,
        limits: Limits | None = None,
        logger: LoggerLike | None = None,
        create_connection: Callable[..., ClientConnection] | None = None,
        **kwargs: Any,
    ) -> None:
        check_arguments(
            additional_headers=additional_headers,
            user_agent_header=user_agent_header,
            create_connection=create_connection,
            process_exception=process_exception,
            reconnect_delays=reconnect_delays,
        )
        self._settings: dict[str, Any] = {
            "ping_interval": ping_interval,
            "ping_timeout": ping_timeout,
            "close_timeout": close_timeout,
            "max_queue": max_queue,
            "write_limit": write_limit,
            **given(limits=limits),
        }
        check_settings(max_size, open_timeout=open_timeout, **self._settings)
        options = with_proxy(kwargs, proxy, user_agent_header, logger)
        super().__init__(uri, additional_headers, open_timeout, logger, options)
        self._protocol_settings: dict[str, Any] = {
            "origin": origin,
            "extensions": with_compression(
                extensions, compression, enable_client_permessage_deflate
            ),
            "subprotocols": subprotocols,
            "logger": logger,
        }
        check_arguments(**self._protocol_settings)
        self._protocol_settings["max_size"] = max_size
        self._user_agent_header = user_agent_header
        self._process_exception = process_exception
        self._reconnect_delays = reconnect_delays
        self._create_connection = create_connection or ClientConnection

    def _make(self, uri: WebSocketURI, headers: HeadersLike | None) -> ClientConnection:
        protocol = ClientProtocol(uri, **self._protocol_settings)
        return self._create_connection(protocol, **self._settings)

    async def _handshake(
        self,
        connection: ClientConnection,
        uri: WebSocketURI,
        headers: HeadersLike | None,
    ) -> None:
        await connection.handshake(headers, self._user_agent_header)

    def process_exception(self, exc: Exception) -> Exception | None:
        """Ask the ``process_exception`` argument whether a failure is final."""
        return self._process_exception(exc)

    def make_delays(self) -> Iterable[float] | Backoff:
        """Return what the ``reconnect_delays`` argument makes."""
        return self._reconnect_delays()


def unix_connect(
    path: str | None = None, uri: str | None = None, **kwargs: Any
) -> connect:
    """
    Connect to a WebSocket server that listens on a Unix socket.

    Args:
        path: path of the socket; None if there is a ``sock`` argument.
        uri: URI of the server, whose host goes into the Host header; None for
            ``ws://localhost/``, or ``wss://localhost/`` if there is an ``ssl``
            argument.
        kwargs: arguments of :func:`connect`, and of the event loop's
            ``create_unix_connection()``.

    """
    if uri is None:
        uri = "ws://localhost/" if kwargs.get("ssl") is None else "wss://localhost/"
    return connect(uri, path=path, **kwargs)
