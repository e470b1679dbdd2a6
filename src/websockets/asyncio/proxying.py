"""Floor 4, engine: reaching a server through a proxy on asyncio.

A :class:`Tunnel` is the protocol of the transport to the proxy until the tunnel is
open. Then the connection takes its place, on the same transport or, for ``wss``, on
the TLS transport that is laid over it. So no byte is read behind anyone's back, and
TLS to the proxy, TLS to the server and both work alike.

Why there are no bytes to lose. Reading is paused as soon as the proxy has answered.
What came with its answer, or before the connection takes over, is the connection's.
Only where TLS comes next can't there be any, since the client speaks first in TLS;
what is there nevertheless is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import importlib
import logging
import math
import sys
from collections.abc import Callable
from ssl import SSLContext as TLSContext
from typing import Any, Literal

from ..exceptions import InvalidProxyMessage, InvalidProxyStatus, ProxyError
from ..headers import loggable_value
from ..http11 import HandshakeReader, Request, Response
from ..proxy import Proxy, get_proxy, make_connect_request, parse_proxy
from ..typing import LoggerLike
from ..uri import WebSocketURI
from .tls import default_tls_context

__all__ = ["DIRECT", "ProxySettings", "dial_through", "is_temporary", "with_proxy"]

#: Seconds that a refusal's body may take after its head.
BODY_TIMEOUT = 1.0

#: Whether to ask for the system's settings may look up names, which blocks.
SETTINGS_BLOCK = sys.platform in ("darwin", "win32")

_INTERIM = frozenset(range(100, 200)) - {101}

#: Options of ``create_connection()`` that are for TLS with the server.
_TLS_OPTIONS = (
    "ssl",
    "server_hostname",
    "ssl_handshake_timeout",
    "ssl_shutdown_timeout",
)

_NEEDS_PYTHON_SOCKS = (
    "connecting through a SOCKS proxy needs python-socks; "
    "install it with: pip install 'python-socks[asyncio]'"
)


@dataclasses.dataclass(frozen=True)
class ProxySettings:
    """
    What a caller says about proxies.

    Args:
        proxy: the proxy's address, which ``repr()`` doesn't show, since it may have
            a password; True for the system's settings; None for none.
        ssl: TLS context for ``https`` proxies; None for the default one.
        server_hostname: name to verify in such a proxy's certificate; None for the
            one in its address.
        user_agent_header: value of the User-Agent header that HTTP proxies get;
            None to send none.
        logger: where to log; None for ``logging.getLogger("websockets.client")``.

    """

    proxy: str | Literal[True] | None = dataclasses.field(default=None, repr=False)
    ssl: TLSContext | None = None
    server_hostname: str | None = None
    user_agent_header: str | None = None
    logger: LoggerLike | None = None

    async def choose(self, uri: WebSocketURI) -> Proxy | None:
        """
        Return the proxy to a server; None to connect directly.

        Raises:
            InvalidProxy: if the system's settings have one that isn't valid.

        """
        address: str | None
        if isinstance(self.proxy, str) or self.proxy is None:
            address = self.proxy
        elif SETTINGS_BLOCK:
            address = await asyncio.to_thread(get_proxy, uri)
        else:
            address = get_proxy(uri)
        return None if address is None else parse_proxy(address)


#: No proxy, whatever the system's settings are.
DIRECT = ProxySettings()


def with_proxy(
    options: dict[str, Any],
    proxy: str | Literal[True] | None,
    user_agent_header: str | None,
    logger: LoggerLike | None,
) -> dict[str, Any]:
    """
    Take the arguments about proxies out of the others, and check them.

    Args:
        options: arguments for ``create_connection()``, with ``proxy_ssl`` and
            ``proxy_server_hostname`` among them.
        proxy: as in :class:`ProxySettings`, and so are the others.

    Returns:
        ``options``, with ``proxy`` in place of those two.

    Raises:
        InvalidProxy: if ``proxy`` isn't a valid address.
        TypeError: if an argument is of the wrong type.
        ValueError: if arguments contradict each other.

    """
    options = dict(options)
    ssl = options.pop("proxy_ssl", None)
    name = options.pop("proxy_server_hostname", None)
    if ssl is not None and ssl is not True and not isinstance(ssl, TLSContext):
        raise TypeError(
            "proxy_ssl must be an ssl.SSLContext, True or None, "
            f"not {type(ssl).__name__}"
        )
    if isinstance(proxy, str):
        _check_proxy(parse_proxy(proxy), options, ssl is not None or name is not None)
    elif proxy is not None and proxy is not True:
        raise TypeError(
            f"proxy must be a str, True or None, not {type(proxy).__name__}"
        )
    context = None if ssl is True else ssl
    options["proxy"] = ProxySettings(proxy, context, name, user_agent_header, logger)
    return options


def _check_proxy(proxy: Proxy, options: dict[str, Any], for_tls: bool) -> None:
    """Check that a proxy that the caller chose fits the other arguments."""
    for name in ("sock", "path"):
        if options.get(name) is not None:
            raise ValueError(
                f"proxy and {name} were given; a connection over {name} doesn't go "
                "through a proxy"
            )
    if for_tls and proxy.scheme != "https":
        raise ValueError(
            "proxy_ssl and proxy_server_hostname are for https:// proxies, "
            f"not {proxy.scheme}://"
        )


def is_temporary(exc: ProxyError) -> bool:
    """Tell whether a proxy may open the tunnel if it's asked again."""
    if isinstance(exc, InvalidProxyStatus):
        # RFC 9110, 15.6: it failed, or couldn't reach the server.
        return exc.response.status_code in (500, 502, 503, 504)
    if isinstance(exc.__cause__, (EOFError, OSError)):
        return True
    # RFC 1928, 6: failure, network or host unreachable, refused, expired; and
    # SOCKS4's only code for all of these.
    return getattr(exc.__cause__, "error_code", None) in (1, 3, 4, 5, 6, 91)


async def dial_through(
    proxy: Proxy,
    settings: ProxySettings,
    uri: WebSocketURI,
    make: Callable[[], Any],
    options: dict[str, Any],
) -> Any:
    """
    Make a connection's transport, through a proxy.

    Args:
        proxy: the proxy.
        settings: what the caller says about proxies.
        uri: where the tunnel leads to.
        make: makes the connection.
        options: arguments for ``create_connection()``; those for TLS are for the
            server, the others for the proxy.

    Returns:
        The connection, before its opening handshake.

    Raises:
        OSError: if the proxy can't be reached.
        ProxyError: if the proxy doesn't open the tunnel.
        ImportError: if the proxy needs python-socks, which isn't installed.

    """
    tls = {name: options.pop(name) for name in _TLS_OPTIONS if name in options}
    open_tunnel = _open_http if proxy.scheme in ("http", "https") else _open_socks
    try:
        tunnel = await open_tunnel(proxy, settings, uri, options)
    except OSError as exc:
        exc.add_note(f"while connecting through the proxy {proxy}")
        raise
    transport = tunnel.transport
    try:
        if uri.secure:
            transport = await tunnel.start_tls(**tls)
            tunnel.check_open()
        connection = make()
        tunnel.hand_over(transport, connection)
    except BaseException:
        tunnel.transport.abort()
        raise
    return connection


async def _open_http(
    proxy: Proxy, settings: ProxySettings, uri: WebSocketURI, options: dict[str, Any]
) -> Tunnel:
    """Open a tunnel through an HTTP proxy."""
    if proxy.scheme == "https":
        options["ssl"] = settings.ssl or default_tls_context()
        options["server_hostname"] = settings.server_hostname or proxy.host
    loop = asyncio.get_running_loop()
    _, tunnel = await loop.create_connection(Tunnel, proxy.host, proxy.port, **options)
    logger = settings.logger or logging.getLogger("websockets.client")
    try:
        await tunnel.connect(
            make_connect_request(proxy, uri, settings.user_agent_header), logger
        )
    except BaseException:
        tunnel.transport.abort()
        raise
    return tunnel


async def _open_socks(
    proxy: Proxy, settings: ProxySettings, uri: WebSocketURI, options: dict[str, Any]
) -> Tunnel:
    """Open a tunnel through a SOCKS proxy."""
    try:
        python_socks: Any = importlib.import_module("python_socks")
        client: Any = importlib.import_module("python_socks.async_.asyncio")
    except ImportError as exc:
        raise ImportError(_NEEDS_PYTHON_SOCKS) from exc
    dialer = client.Proxy(
        getattr(python_socks.ProxyType, proxy.scheme[:6].upper()),
        proxy.host,
        proxy.port,
        proxy.username,
        proxy.password,
        # With these, the proxy looks up the server's name.
        rdns=proxy.scheme in ("socks4a", "socks5h"),
    )
    local = {name: options.pop(name) for name in ("local_addr",) if name in options}
    try:
        # Without a timeout, it would have one of its own.
        sock = await dialer.connect(uri.host, uri.port, timeout=math.inf, **local)
    except (python_socks.ProxyError, UnicodeError) as exc:
        raise ProxyError(f"SOCKS proxy did not connect: {exc}") from exc
    loop = asyncio.get_running_loop()
    try:
        _, tunnel = await loop.create_connection(Tunnel, sock=sock, **options)
    except BaseException:
        sock.close()
        raise
    return tunnel


class Tunnel(asyncio.Protocol):
    """
    The protocol of a transport until a connection takes it over.

    Attributes:
        transport: the transport to the proxy.

    """

    transport: Any

    def __init__(self) -> None:
        self._reader = HandshakeReader()
        self._response: Response | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._lost = False
        self._lost_exc: Exception | None = None

    # Callbacks of the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; called by the event loop."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Take bytes that were read; called by the event loop."""
        self._reader.feed(data)
        self._wake()

    def eof_received(self) -> None:
        """Take the end of the stream; called by the event loop."""
        self._reader.feed_eof()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note that the connection is lost; called by the event loop."""
        self._lost = True
        self._lost_exc = exc
        self._reader.feed_eof()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # CONNECT.

    async def connect(self, request: Request, logger: LoggerLike) -> None:
        """
        Ask an HTTP proxy for a tunnel (RFC 9110, 9.3.6).

        Args:
            request: the request to send.
            logger: where to log.

        Raises:
            InvalidProxyMessage: if the proxy's answer isn't HTTP.
            InvalidProxyStatus: if it refuses.

        """
        self.transport.write(request.serialize())
        first = f"> CONNECT {request.path} HTTP/1.1"
        _log(logger, first, request)
        try:
            response = await self._read_response()
        except Exception as exc:
            raise InvalidProxyMessage(
                "did not receive a valid HTTP response from the proxy"
            ) from (self._lost_exc or exc)
        first = f"< HTTP/1.1 {response.status_code} {response.reason_phrase}"
        _log(logger, first, response)
        if not 200 <= response.status_code < 300:
            raise InvalidProxyStatus(response)
        self.check_open()
        self.transport.pause_reading()

    async def _read_response(self) -> Response:
        """Read the proxy's answer, with the start of its body at least."""
        while not self._read_head():
            await self._more()
        if self._response is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BODY_TIMEOUT):
                    while self._response is None:
                        await self._more()
                        self._read_head()
        response = self._response or self._reader.incomplete
        assert response is not None
        return response

    def _read_head(self) -> bool:
        """Read what has come; tell whether there is a head, or all of it."""
        reader = self._reader
        try:
            response = reader.read_response(proxy=True)
            while response is not None and response.status_code in _INTERIM:
                response = reader.read_response(proxy=True)
        except Exception:
            response = reader.incomplete
            if response is None:
                raise
        self._response = response
        return response is not None or reader.incomplete is not None

    async def _more(self) -> None:
        """Wait until more bytes have come, or the end."""
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    # What comes next.

    async def start_tls(self, ssl: TLSContext, **options: Any) -> Any:
        """
        Lay TLS over the transport.

        Args:
            ssl: the TLS context.
            options: further arguments for the event loop's ``start_tls()``.

        Returns:
            The transport with TLS.

        Raises:
            InvalidProxyMessage: if there are bytes from before TLS.
            OSError: if that fails.

        """
        if rest := self._reader.take_rest():
            raise InvalidProxyMessage(
                f"{len(rest)} bytes followed the proxy's response before TLS was "
                "begun, and can't be part of it"
            )
        loop = asyncio.get_running_loop()
        return await loop.start_tls(self.transport, self, ssl, **options)

    def check_open(self) -> None:
        """
        Check that the proxy hasn't closed the connection again.

        Raises:
            ConnectionError: if it has.

        """
        if self._lost or self.transport.is_closing():
            raise ConnectionResetError(
                "the proxy closed the connection after it had opened the tunnel"
            ) from self._lost_exc

    def hand_over(self, transport: Any, connection: Any) -> None:
        """
        Put a connection in this place.

        Args:
            transport: the transport that it gets.
            connection: the connection.

        """
        transport.set_protocol(connection)
        connection.connection_made(transport)
        if rest := self._reader.take_rest():
            # As if they were read now: after the request has been sent.
            loop = asyncio.get_running_loop()
            loop.call_soon(_deliver, transport, connection, rest)
        else:
            transport.resume_reading()


def _deliver(transport: Any, connection: Any, data: bytes) -> None:
    """Hand bytes to a connection, and have it read on, as a transport does."""
    if transport.is_closing():
        return
    transport.resume_reading()
    try:
        connection.data_received(data)
    except OSError:
        # The peer is gone.
        transport.abort()


def _log(logger: LoggerLike, first: str, message: Request | Response) -> None:
    """Log a request or a response, without its secrets."""
    if not logger.isEnabledFor(logging.DEBUG):
        return
    logger.debug("%s", first)
    for name, value in message.headers.raw_items():
        logger.debug("%s %s: %s", first[0], name, loggable_value(name, value))
