"""Floor 5, faces: classic clients."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, cast

from ..asyncio import opening
from ..asyncio.arguments import (
    check_arguments,
    check_settings,
    given,
    with_compression,
)
from ..asyncio.connecting import Connector
from ..asyncio.connecting import without_secrets as _without_secrets  # noqa: F401
from ..asyncio.proxying import with_proxy
from ..client import ClientProtocol, accept_extensions, accept_subprotocol
from ..datastructures import Headers, HeadersLike
from ..exceptions import (
    InvalidHeader,
    InvalidProxy,
    InvalidStatus,
    InvalidURI,
    SecurityError,
)
from ..extensions.base import ClientExtensionFactory, Extension
from ..extensions.permessage_deflate import enable_client_permessage_deflate
from ..http11 import USER_AGENT, Response
from ..session.backoff import FACTOR, INITIAL_DELAY, MAX_DELAY, MIN_DELAY, Backoff
from ..session.limits import Limits
from ..typing import LoggerLike, Origin, Subprotocol
from ..uri import WebSocketURI
from .compat import make_modern_client, pick_headers, split_factory
from .exceptions import InvalidStatusCode, RedirectHandshake
from .protocol import CLOSE_TIMEOUT, WebSocketCommonProtocol

__all__ = ["WebSocketClientProtocol", "connect", "unix_connect"]


class ClassicClientProtocol(ClientProtocol):
    """Asks the classic connection's methods what they have to say."""

    __slots__ = ("owner",)

    owner: WebSocketClientProtocol | None

    def process_extensions(self, headers: Headers) -> list[Extension]:
        """Ask :meth:`WebSocketClientProtocol.process_extensions`."""
        assert self.owner is not None
        return self.owner.process_extensions(headers, self.available_extensions)

    def process_subprotocol(self, headers: Headers) -> Subprotocol | None:
        """Ask :meth:`WebSocketClientProtocol.process_subprotocol`."""
        assert self.owner is not None
        return self.owner.process_subprotocol(headers, self.available_subprotocols)


class WebSocketClientProtocol(WebSocketCommonProtocol):
    """
    A client's connection.

    Args:
        logger: logger for this connection; None for
            ``logging.getLogger("websockets.client")``.
        origin: value of the Origin header; None to send none.
        extensions: extensions to offer, most wanted first.
        subprotocols: subprotocols to offer, most wanted first.
        extra_headers: headers to add to the request.
        user_agent_header: value of the User-Agent header; None to send none.
        kwargs: arguments of :class:`WebSocketCommonProtocol`.

    """

    __slots__ = (
        "available_extensions",
        "available_subprotocols",
        "extra_headers",
        "origin",
        "user_agent_header",
    )

    is_client = True
    side = "client"

    def __init__(
        self,
        *,
        logger: LoggerLike | None = None,
        origin: Origin | str | None = None,
        extensions: Sequence[ClientExtensionFactory] | None = None,
        subprotocols: Sequence[Subprotocol | str] | None = None,
        extra_headers: HeadersLike | None = None,
        user_agent_header: str | None = USER_AGENT,
        **kwargs: Any,
    ) -> None:
        host = kwargs.get("host") or "localhost"
        secure = bool(kwargs.get("secure"))
        port = kwargs.get("port") or (443 if secure else 80)
        protocol = ClassicClientProtocol(
            # handshake() is told the whole URI.
            WebSocketURI(secure, host, port, "/", ""),
            origin=origin,
            extensions=extensions,
            subprotocols=subprotocols,
            logger=logger,
        )
        super().__init__(logger=logger, protocol=protocol, **kwargs)
        self.origin = origin
        self.available_extensions = extensions
        self.available_subprotocols = subprotocols
        self.extra_headers = extra_headers
        self.user_agent_header = user_agent_header

    async def handshake(
        self,
        wsuri: WebSocketURI,
        origin: Origin | str | None = None,
        available_extensions: Sequence[ClientExtensionFactory] | None = None,
        available_subprotocols: Sequence[Subprotocol | str] | None = None,
        extra_headers: HeadersLike | None = None,
    ) -> None:
        """
        Perform the client's side of the opening handshake.

        Args:
            wsuri: where to connect.
            origin: value of the Origin header; None to send none.
            available_extensions: extensions to offer.
            available_subprotocols: subprotocols to offer.
            extra_headers: headers to add to the request.

        Raises:
            InvalidHandshake: if the handshake failed.

        """
        protocol = self.protocol
        assert isinstance(protocol, ClassicClientProtocol)
        protocol.uri = wsuri
        protocol.origin = origin
        protocol.available_extensions = available_extensions
        protocol.available_subprotocols = available_subprotocols
        request = opening.make_request(protocol, extra_headers, self.user_agent_header)
        self.path = request.path
        protocol.owner = self
        try:
            await opening.initiate(self, request)
        except InvalidStatus as exc:
            raise _classic_error(wsuri, exc.response) from exc
        finally:
            protocol.owner = None

    @staticmethod
    def process_extensions(
        headers: Headers,
        available_extensions: Sequence[ClientExtensionFactory] | None,
    ) -> list[Extension]:
        """
        Return the extensions that the server accepted.

        Raises:
            NegotiationError: if it wasn't offered them, or not so.

        """
        return accept_extensions(headers, available_extensions)

    @staticmethod
    def process_subprotocol(
        headers: Headers,
        available_subprotocols: Sequence[Subprotocol | str] | None,
    ) -> Subprotocol | None:
        """
        Return the subprotocol that the server chose; None for none.

        Raises:
            NegotiationError: if it wasn't offered.

        """
        return accept_subprotocol(headers, available_subprotocols)


def _classic_error(uri: WebSocketURI, response: Response) -> Exception:
    """Return the classic error for a response that isn't an acceptance."""
    if response.status_code in (300, 301, 302, 303, 307, 308):
        if "Location" not in response.headers:
            return InvalidHeader("Location")
        return RedirectHandshake(response.headers["Location"])
    error = InvalidStatusCode(response.status_code, response.headers)
    error.response = response
    return error


#: What would end the same if it were tried again.
_FINAL = (
    *(InvalidURI, InvalidProxy, SecurityError),
    *(ImportError, TypeError, ValueError),
)


class Connect(Connector[WebSocketClientProtocol]):
    """
    Connect to a WebSocket server.

    Await it, or use it with ``async with``, which closes the connection at the
    end; either gives a :class:`WebSocketClientProtocol`. With ``async for`` it
    connects again and again, whenever the connection is closed::

        async for websocket in websockets.connect(...):
            try:
                ...
            except websockets.ConnectionClosed:
                continue

    Args:
        uri: where to connect: a ``ws://`` or ``wss://`` URI, or a function, async
            or not, that returns one for each attempt.
        create_protocol: makes the connection: a subclass of
            :class:`WebSocketClientProtocol`, or a function with its arguments.
        logger: logger for the connection: a logger or a logger adapter; None
            for ``logging.getLogger("websockets.client")``.
        compression: "deflate" to compress messages where the server can; None
            not to.
        origin: value of the Origin header; None to send none.
        extensions: extensions to offer, most wanted first.
        subprotocols: subprotocols to offer, most wanted first.
        extra_headers: headers to add to the request, or a function, async or not,
            that returns them for each attempt.
        user_agent_header: value of the User-Agent header; None to send none.
        proxy: None to connect directly, True for the proxy that the system's
            settings name, if any, or the address of a proxy. See the modern
            :class:`~websockets.asyncio.client.connect`, where True is the default:
            code for the classic interface doesn't expect its connections to take
            another way because of a variable in the environment.
        open_timeout: seconds for everything until the connection is open; None
            for no limit.
        ping_interval: seconds between keepalive pings; None for no pings.
        ping_timeout: seconds for a sign of life after a keepalive ping, and
            for a write backlog to make progress; None for no limit.
        close_timeout: seconds for the closing handshake; None for 10.
        max_size: most bytes in a received message; None for no limit.
        max_queue: messages that may wait to be received; None for no limit.
        read_limit: bytes that are still read when ``max_queue`` messages wait.
        write_limit: bytes that may wait to be written before sending waits.
        limits: what the server may use, and how fast; None for ``Limits()``. See
            :class:`~websockets.Limits`.
        kwargs: arguments for the event loop's ``create_connection()``: ``ssl``,
            ``server_hostname``, ``sock``, ``local_addr``...; ``host`` and
            ``port`` connect elsewhere than the URI says; ``proxy_ssl`` and
            ``proxy_server_hostname`` are for TLS with an ``https://`` proxy. Older
            spellings are accepted too: ``klass``, ``timeout``, ``loop``,
            ``legacy_recv``. So are ``additional_headers``, which is the modern
            name of ``extra_headers``, and ``process_exception``,
            ``reconnect_delays`` and ``create_connection`` of the modern
            :class:`~websockets.asyncio.client.connect`; the latter makes a modern
            connection.

    Raises:
        InvalidURI: if ``uri`` isn't a valid WebSocket URI.
        InvalidProxy: if ``proxy``, or what the system's settings name, isn't a
            valid proxy.
        OSError: if the server, or the proxy, can't be reached.
        InvalidHandshake: if the opening handshake failed.
        ProxyError: if the proxy doesn't connect us.
        TimeoutError: if the connection isn't open after ``open_timeout``.

    Cancelling closes what was opened so far.
    """

    #: Seconds between attempts of ``async for``; see :class:`Backoff`.
    BACKOFF_INITIAL = INITIAL_DELAY
    BACKOFF_MIN = MIN_DELAY
    BACKOFF_MAX = MAX_DELAY
    BACKOFF_FACTOR = FACTOR

    HEADERS_ARGUMENT = "extra_headers"
    FAILED_AGAIN = "! connect failed again; retrying in %d seconds"

    def __init__(
        self,
        uri: str | Callable[[], Any],
        *,
        create_protocol: Callable[..., WebSocketClientProtocol] | None = None,
        logger: LoggerLike | None = None,
        compression: str | None = "deflate",
        origin: Origin | str | None = None,
        extensions: Sequence[ClientExtensionFactory] | None = None,
        subprotocols: Sequence[Subprotocol | str] | None = None,
        extra_headers: HeadersLike | Callable[[], Any] | None = None,
        user_agent_header: str | None = USER_AGENT,
        proxy: str | Literal[True] | None = None,
        open_timeout: float | None = 10,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        close_timeout: float | None = None,
        max_size: int | tuple[int | None, int | None] | None = 2**20,
        max_queue: int | tuple[int | None, int | None] | None = 2**5,
        read_limit: int = 2**16,
        write_limit: int | tuple[int, int | None] = 2**16,
        limits: Limits | None = None,
        **kwargs: Any,
    ) -> None:
        timeout = kwargs.pop("timeout", None)
        if close_timeout is None:
            close_timeout = CLOSE_TIMEOUT if timeout is None else timeout
        klass = kwargs.pop("klass", None)
        loop = kwargs.pop("loop", None)
        legacy_recv = kwargs.pop("legacy_recv", False)
        extra_headers = pick_headers(extra_headers, kwargs)
        create_protocol, create_connection = split_factory(
            create_protocol or klass, kwargs
        )
        self._process_exception = kwargs.pop("process_exception", None)
        self._reconnect_delays = kwargs.pop("reconnect_delays", None)
        check_arguments(
            create_protocol=create_protocol,
            process_exception=self._process_exception,
            reconnect_delays=self._reconnect_delays,
            logger=logger,
            origin=origin,
            subprotocols=subprotocols,
            user_agent_header=user_agent_header,
        )
        settings: dict[str, Any] = {
            "open_timeout": open_timeout,
            "ping_interval": ping_interval,
            "ping_timeout": ping_timeout,
            "close_timeout": close_timeout,
            "max_queue": max_queue,
            "write_limit": write_limit,
            **given(limits=limits),
        }
        check_settings(max_size, read_limit=read_limit, **settings)
        settings |= {
            "logger": logger,
            "origin": origin,
            "extensions": with_compression(
                extensions, compression, enable_client_permessage_deflate
            ),
            "subprotocols": subprotocols,
            "user_agent_header": user_agent_header,
            "max_size": max_size,
        }
        self._modern: Any = None
        if create_connection is not None:
            self._modern = make_modern_client(
                uri,
                additional_headers=extra_headers,
                proxy=proxy,
                create_connection=create_connection,
                **settings,
                **kwargs,
            )
        options = with_proxy(kwargs, proxy, user_agent_header, logger)
        super().__init__(uri, extra_headers, open_timeout, logger, options)
        self._loop: asyncio.AbstractEventLoop | None = loop
        self._factory = functools.partial(
            create_protocol or WebSocketClientProtocol,
            read_limit=read_limit,
            legacy_recv=legacy_recv,
            loop=loop,
            **settings,
        )

    @property
    def protocol(self) -> WebSocketClientProtocol | None:
        """The connection; None before it is open."""
        return self.connection

    async def _connect(self) -> WebSocketClientProtocol:
        if self._loop is not None and self._loop is not asyncio.get_running_loop():
            raise RuntimeError("connect() was given another event loop than runs here")
        if self._modern is not None:
            connection: Any = await self._modern
            self.connection = connection
            return connection  # type: ignore[no-any-return]
        return await super()._connect()

    def _make(
        self, uri: WebSocketURI, headers: HeadersLike | None
    ) -> WebSocketClientProtocol:
        return self._factory(
            extra_headers=headers, host=uri.host, port=uri.port, secure=uri.secure
        )

    async def _handshake(
        self,
        connection: WebSocketClientProtocol,
        uri: WebSocketURI,
        headers: HeadersLike | None,
    ) -> None:
        await connection.handshake(
            uri,
            origin=connection.origin,
            available_extensions=connection.available_extensions,
            available_subprotocols=connection.available_subprotocols,
            extra_headers=connection.extra_headers,
        )

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Return where a failure redirects to, or the exception to raise."""
        if isinstance(exc, RedirectHandshake):
            return super().process_redirect(cast(InvalidStatus, exc.__cause__))
        return exc

    def process_exception(self, exc: Exception) -> Exception | None:
        """Return None to connect again after a failure, or what to raise."""
        if self._process_exception is not None:
            answer: Exception | None = self._process_exception(exc)
            return answer
        return exc if isinstance(exc, _FINAL) else None

    def make_delays(self) -> Iterable[float] | Backoff:
        """Return the delays that follow failures in a row."""
        if self._reconnect_delays is not None:
            delays: Iterable[float] | Backoff = self._reconnect_delays()
            return delays
        return Backoff(
            self.BACKOFF_INITIAL,
            self.BACKOFF_MIN,
            self.BACKOFF_MAX,
            self.BACKOFF_FACTOR,
        )


connect = Connect


def unix_connect(
    path: str | None = None,
    uri: str = "ws://localhost/",
    **kwargs: Any,
) -> Connect:
    """
    Connect to a WebSocket server that listens on a Unix socket.

    Args:
        path: path of the socket; None if there is a ``sock`` argument.
        uri: URI of the server; its host goes into the Host header.
        kwargs: arguments of :func:`connect`, and of the event loop's
            ``create_unix_connection()``.

    """
    return Connect(uri, path=path, **kwargs)
