"""Floor 5, faces: classic clients."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from typing import Any, cast

from ..asyncio import opening
from ..asyncio.dialing import check_tls, dial, find_redirect, is_same_origin
from ..client import ClientProtocol, accept_extensions, accept_subprotocol
from ..datastructures import Headers, HeadersLike
from ..exceptions import InvalidHeader, InvalidStatus, InvalidURI, SecurityError
from ..extensions.base import ClientExtensionFactory, Extension
from ..extensions.permessage_deflate import enable_client_permessage_deflate
from ..headers import validate_subprotocols
from ..http11 import USER_AGENT, Response
from ..session.backoff import FACTOR, INITIAL_DELAY, MAX_DELAY, MIN_DELAY, Backoff
from ..session.settings import Settings, check_max_size
from ..typing import LoggerLike, Origin, Subprotocol
from ..uri import WebSocketURI, parse_uri
from .exceptions import InvalidStatusCode, RedirectHandshake
from .protocol import CLOSE_TIMEOUT, WebSocketCommonProtocol

__all__ = ["WebSocketClientProtocol", "connect", "unix_connect"]

#: What must not reach another origin than it was meant for.
_SECRETS = ("Authorization", "Cookie", "Proxy-Authorization")


class ClassicClientProtocol(ClientProtocol):
    """Asks the classic connection's methods what they have to say."""

    owner: WebSocketClientProtocol | None = None

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
        request = protocol.connect()
        self.path = request.path
        if extra_headers is not None:
            request.headers.update(extra_headers)
        if self.user_agent_header is not None and "User-Agent" not in request.headers:
            request.headers["User-Agent"] = self.user_agent_header
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


class Connect:
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
        uri: where to connect: a ``ws://`` or ``wss://`` URI.
        create_protocol: makes the connection: a subclass of
            :class:`WebSocketClientProtocol`, or a function with its arguments.
        logger: logger for the connection: a logger or a logger adapter; None
            for ``logging.getLogger("websockets.client")``.
        compression: "deflate" to compress messages where the server can; None
            not to.
        origin: value of the Origin header; None to send none.
        extensions: extensions to offer, most wanted first.
        subprotocols: subprotocols to offer, most wanted first.
        extra_headers: headers to add to the request; ``additional_headers`` is
            another name for it.
        user_agent_header: value of the User-Agent header; None to send none.
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
        kwargs: arguments for the event loop's ``create_connection()``: ``ssl``,
            ``server_hostname``, ``sock``, ``local_addr``...; ``host`` and
            ``port`` connect elsewhere than the URI says. Older spellings are
            accepted too: ``klass``, ``timeout``, ``loop``, ``legacy_recv``.

    Raises:
        InvalidURI: if ``uri`` isn't a valid WebSocket URI.
        OSError: if the server can't be reached.
        InvalidHandshake: if the opening handshake failed.
        TimeoutError: if the connection isn't open after ``open_timeout``.

    Cancelling closes what was opened so far.
    """

    #: How many redirects are followed.
    MAX_REDIRECTS_ALLOWED = 10

    #: Seconds between attempts of ``async for``; see :class:`Backoff`.
    BACKOFF_INITIAL = INITIAL_DELAY
    BACKOFF_MIN = MIN_DELAY
    BACKOFF_MAX = MAX_DELAY
    BACKOFF_FACTOR = FACTOR

    def __init__(
        self,
        uri: str,
        *,
        create_protocol: Callable[..., WebSocketClientProtocol] | None = None,
        logger: LoggerLike | None = None,
        compression: str | None = "deflate",
        origin: Origin | str | None = None,
        extensions: Sequence[ClientExtensionFactory] | None = None,
        subprotocols: Sequence[Subprotocol | str] | None = None,
        extra_headers: HeadersLike | None = None,
        user_agent_header: str | None = USER_AGENT,
        open_timeout: float | None = 10,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        close_timeout: float | None = None,
        max_size: int | tuple[int | None, int | None] | None = 2**20,
        max_queue: int | tuple[int | None, int | None] | None = 2**5,
        read_limit: int = 2**16,
        write_limit: int | tuple[int, int | None] = 2**16,
        **kwargs: Any,
    ) -> None:
        timeout = kwargs.pop("timeout", None)
        if close_timeout is None:
            close_timeout = CLOSE_TIMEOUT if timeout is None else timeout
        klass = kwargs.pop("klass", None)
        loop = kwargs.pop("loop", None)
        if extra_headers is None:
            extra_headers = kwargs.pop("additional_headers", None)
        create_protocol = create_protocol or klass or WebSocketClientProtocol
        if not callable(create_protocol):
            raise TypeError("create_protocol must be a class or a function")
        if compression == "deflate":
            extensions = enable_client_permessage_deflate(extensions)
        elif compression is not None:
            raise ValueError(f"unsupported compression: {compression}")
        if subprotocols is not None:
            validate_subprotocols(cast(Sequence[Subprotocol], subprotocols))
        check_max_size(max_size)
        settings: dict[str, Any] = {
            "open_timeout": open_timeout,
            "ping_interval": ping_interval,
            "ping_timeout": ping_timeout,
            "close_timeout": close_timeout,
            "max_queue": max_queue,
            "read_limit": read_limit,
            "write_limit": write_limit,
        }
        Settings(**settings)
        self.uri = uri
        self._wsuri = parse_uri(uri)
        check_tls(self._wsuri, kwargs)
        self.open_timeout = open_timeout
        self._loop: asyncio.AbstractEventLoop | None = loop
        self._kwargs = kwargs
        self._extra_headers = extra_headers
        self._factory = functools.partial(
            create_protocol,
            logger=logger,
            origin=origin,
            extensions=extensions,
            subprotocols=subprotocols,
            user_agent_header=user_agent_header,
            max_size=max_size,
            legacy_recv=kwargs.pop("legacy_recv", False),
            loop=loop,
            **settings,
        )
        self.protocol: WebSocketClientProtocol | None = None

    # await connect(...)

    def __await__(self) -> Generator[Any, None, WebSocketClientProtocol]:
        """Connect."""
        return self._connect().__await__()

    async def _connect(self) -> WebSocketClientProtocol:
        if self._loop is not None and self._loop is not asyncio.get_running_loop():
            raise RuntimeError("connect() was given another event loop than runs here")
        try:
            async with asyncio.timeout(self.open_timeout):
                return await self._follow()
        except TimeoutError as exc:
            raise TimeoutError("timed out during opening handshake") from exc

    async def _follow(self) -> WebSocketClientProtocol:
        """Connect where the URI says, and where redirects lead from there."""
        uri, wsuri, extra_headers = self.uri, self._wsuri, self._extra_headers
        for _ in range(self.MAX_REDIRECTS_ALLOWED + 1):
            try:
                return await self._open(wsuri, extra_headers)
            except RedirectHandshake as exc:
                response = exc.__cause__.response  # type: ignore[union-attr]
            target = find_redirect(wsuri, uri, response)
            # Only what redirects is a RedirectHandshake.
            assert target is not None
            following = parse_uri(target)
            if not is_same_origin(wsuri, following):
                self._check_leaving(target)
                extra_headers = _without_secrets(extra_headers)
            uri, wsuri = target, following
        raise SecurityError(f"more than {self.MAX_REDIRECTS_ALLOWED} redirects")

    def _check_leaving(self, target: str) -> None:
        """Check that a redirect to another origin can be followed."""
        for name in ("sock", "path", "host", "port"):
            if self._kwargs.get(name) is not None:
                raise ValueError(
                    f"cannot follow a redirect to {target} with the {name} argument, "
                    "which says to connect elsewhere"
                )

    async def _open(
        self, wsuri: WebSocketURI, extra_headers: HeadersLike | None
    ) -> WebSocketClientProtocol:
        """Connect to one server, and perform the opening handshake."""
        factory = functools.partial(
            self._factory,
            extra_headers=extra_headers,
            host=wsuri.host,
            port=wsuri.port,
            secure=wsuri.secure,
        )
        protocol: WebSocketClientProtocol = await dial(wsuri, factory, self._kwargs)
        try:
            await protocol.handshake(
                wsuri,
                origin=protocol.origin,
                available_extensions=protocol.available_extensions,
                available_subprotocols=protocol.available_subprotocols,
                extra_headers=protocol.extra_headers,
            )
        except BaseException:
            protocol.transport.abort()
            await protocol.wait_closed()
            raise
        self.protocol = protocol
        return protocol

    # async with connect(...)

    async def __aenter__(self) -> WebSocketClientProtocol:
        """Connect."""
        return await self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close the connection."""
        assert self.protocol is not None
        await self.protocol.close()

    # async for ... in connect(...)

    async def __aiter__(self) -> AsyncIterator[WebSocketClientProtocol]:
        """Connect, and connect again whenever the connection is closed."""
        backoff = Backoff(
            self.BACKOFF_INITIAL,
            self.BACKOFF_MIN,
            self.BACKOFF_MAX,
            self.BACKOFF_FACTOR,
        )
        logger = self._factory.keywords["logger"]
        clock = asyncio.get_running_loop().time
        while True:
            try:
                protocol = await self
            except (InvalidURI, SecurityError, TypeError, ValueError):
                # Trying again would end the same.
                raise
            except Exception as exc:
                await _pause(logger, backoff, backoff.failed(), exc)
                continue
            opened_at = clock()
            try:
                yield protocol
            finally:
                await protocol.close()
            if delay := backoff.ended(clock() - opened_at):
                await _pause(logger, backoff, delay, None)


async def _pause(
    logger: LoggerLike | None,
    backoff: Backoff,
    delay: float,
    exc: Exception | None,
) -> None:
    """Wait before the next attempt, and say so."""
    logger = logger or logging.getLogger("websockets.client")
    if exc is None:
        logger.info("connection ended early; reconnecting in %.1f seconds", delay)
    elif backoff.attempts == 1:
        logger.info(
            "! connect failed; reconnecting in %.1f seconds", delay, exc_info=exc
        )
    else:
        logger.info(
            "! connect failed again; retrying in %d seconds", delay, exc_info=exc
        )
    await asyncio.sleep(delay)


def _without_secrets(headers: HeadersLike | None) -> HeadersLike | None:
    """Leave out what was meant for another origin."""
    if headers is None:
        return None
    kept = Headers(headers)
    for name in _SECRETS:
        if name in kept:
            del kept[name]
    return kept


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
