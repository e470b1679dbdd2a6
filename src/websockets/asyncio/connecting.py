"""Floor 4, engine: connecting, following redirects, and connecting again.

:class:`Connector` is what the faces' ``connect()`` is made of. They make the
connection and perform the handshake in their own way.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
import os
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

from ..codes import CloseCode
from ..datastructures import Headers, HeadersLike
from ..exceptions import InvalidProxyStatus, InvalidStatus, SecurityError
from ..session.backoff import LIVED, Backoff
from ..typing import LoggerLike
from ..uri import WebSocketURI, parse_uri
from .arguments import check_arguments, check_connection, check_options
from .connection import Connection
from .dialing import check_tls, dial, find_redirect, is_same_origin

__all__ = ["Connector", "Delays", "without_secrets"]

ConnectionT = TypeVar("ConnectionT", bound=Connection)
T = TypeVar("T")

#: What ``reconnect_delays`` arguments take: makes the delays, in seconds, that
#: follow failures in a row.
Delays = Callable[[], Iterable[float] | Backoff]

#: What must not reach another origin than it was meant for.
_SECRETS = ("Authorization", "Cookie", "Proxy-Authorization")

#: Close codes that say when to come back: not at once.
_COME_BACK_LATER = (CloseCode.SERVICE_RESTART, CloseCode.TRY_AGAIN_LATER)

#: A server may have us wait that many seconds.
_MOST_RETRY_AFTER = 3600.0


class Connector(Generic[ConnectionT]):
    """
    Connects to a server; the common part of the faces' ``connect()``.

    Args:
        uri: where to connect: a URI, or a function, async or not, that returns
            one for each attempt.
        headers: headers to add to the request, or such a function.
        open_timeout: seconds for everything until the connection is open; None
            for no limit.
        logger: logger for attempts; None for
            ``logging.getLogger("websockets.client")``.
        options: arguments for the event loop's ``create_connection()``.

    Attributes:
        uri: where to connect, or where we're being redirected to.
        connection: the connection; None before it is open.

    """

    #: How many redirects are followed.
    MAX_REDIRECTS_ALLOWED: ClassVar[int] = int(
        os.environ.get("WEBSOCKETS_MAX_REDIRECTS", "10")
    )

    #: What the argument for headers is called.
    HEADERS_ARGUMENT: ClassVar[str] = "additional_headers"

    #: What the log says about a second failure in a row.
    FAILED_AGAIN: ClassVar[str] = "! connect failed; reconnecting in %.1f seconds"

    if TYPE_CHECKING:

        def process_exception(self, exc: Exception) -> Exception | None:
            """Return None to connect again after a failure, or what to raise."""
            ...

        def make_delays(self) -> Iterable[float] | Backoff:
            """Return the delays that follow failures in a row."""
            ...

        def _make(self, uri: WebSocketURI, headers: HeadersLike | None) -> ConnectionT:
            """Make a connection to a server."""
            ...

        async def _handshake(
            self,
            connection: ConnectionT,
            uri: WebSocketURI,
            headers: HeadersLike | None,
        ) -> None:
            """Perform the opening handshake."""
            ...

    def __init__(
        self,
        uri: str | Callable[[], Any],
        headers: HeadersLike | Callable[[], Any] | None,
        open_timeout: float | None,
        logger: LoggerLike | None,
        options: dict[str, Any],
    ) -> None:
        check_options("connect", options)
        if not callable(uri):
            check_tls(parse_uri(uri), options)
        self.uri = "" if callable(uri) else uri
        self.open_timeout = open_timeout
        self.connection: ConnectionT | None = None
        self._uri_source = uri
        self._headers_source = headers
        self._logger = logger
        self._kwargs = options

    # await connect(...)

    def __await__(self) -> Generator[Any, None, ConnectionT]:
        """Connect."""
        return self._connect().__await__()

    async def _connect(self) -> ConnectionT:
        try:
            async with asyncio.timeout(self.open_timeout):
                self.connection = await self._follow()
        except TimeoutError as exc:
            raise TimeoutError("timed out during opening handshake") from exc
        return self.connection

    async def _follow(self) -> ConnectionT:
        """Connect where the URI says, and where redirects lead from there."""
        self.uri = await _current(self._uri_source)
        uri = parse_uri(self.uri)
        headers = await _current(self._headers_source)
        check_arguments(**{self.HEADERS_ARGUMENT: headers})
        for _ in range(self.MAX_REDIRECTS_ALLOWED + 1):
            try:
                return await self._open(uri, headers)
            except Exception as exc:
                target = self._target(exc)
            following = parse_uri(target)
            if not is_same_origin(uri, following):
                self._check_leaving(target)
                headers = without_secrets(headers)
            self.uri, uri = target, following
        raise SecurityError(f"more than {self.MAX_REDIRECTS_ALLOWED} redirects")

    async def _open(
        self, uri: WebSocketURI, headers: HeadersLike | None
    ) -> ConnectionT:
        """Connect to one server, and perform the opening handshake."""
        # Made before there's a socket, which would be left open if that failed.
        made: ConnectionT = check_connection(self._make(uri, headers))
        connection = await dial(uri, lambda: made, self._kwargs)
        try:
            await self._handshake(connection, uri, headers)
        except BaseException:
            connection.transport.abort()
            await connection.wait_closed()
            # The frames of its traceback refer to the connection.
            connection.protocol.handshake_exc = None
            if connection.response is not None:
                connection.response._exception = None
            raise
        return connection

    # Redirects.

    def process_redirect(self, exc: Exception) -> Exception | str:
        """
        Tell whether a failure is a redirect; may be overridden.

        Args:
            exc: why connecting to :attr:`uri` failed.

        Returns:
            The URI to follow, or the exception to raise.

        """
        if isinstance(exc, InvalidStatus):
            target = find_redirect(parse_uri(self.uri), self.uri, exc.response)
            if target is not None:
                return target
        return exc

    def _target(self, exc: Exception) -> str:
        """Return where a failure redirects to, or raise it."""
        answer: Any = self.process_redirect(exc)
        if isinstance(answer, str):
            return answer
        try:
            if answer is exc:
                raise exc
            raise answer from exc
        finally:
            # An exception that a frame of its own traceback refers to lives long.
            del answer, exc

    def _check_leaving(self, target: str) -> None:
        """Check that a redirect to another origin can be followed."""
        for name in ("sock", "path", "host", "port"):
            if self._kwargs.get(name) is not None:
                raise ValueError(
                    f"cannot follow a redirect to {target} with the {name} argument, "
                    "which says to connect elsewhere"
                )

    # async with connect(...)

    async def __aenter__(self) -> ConnectionT:
        """Connect."""
        return await self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close the connection."""
        assert self.connection is not None
        await self.connection.close()

    # async for ... in connect(...)

    async def __aiter__(self) -> AsyncIterator[ConnectionT]:
        """Connect, and connect again whenever the connection is closed."""
        made = self.make_delays()
        backoff = made if isinstance(made, Backoff) else GivenDelays(self.make_delays)
        clock = asyncio.get_running_loop().time
        while True:
            try:
                connection = await self
            except Exception as exc:
                self._raise_if_final(exc, self.process_exception(exc))
                delay = max(backoff.failed(), _retry_after(exc))
                self._raise_if_final(exc, exc if delay == math.inf else None)
                await self._pause(backoff, delay, exc)
                continue
            opened_at = clock()
            try:
                yield connection
            finally:
                await connection.close()
            if connection.close_code in _COME_BACK_LATER:
                delay = backoff.failed()
            else:
                delay = backoff.ended(clock() - opened_at)
            if delay == math.inf:
                return
            if delay:
                await self._pause(backoff, delay, None)

    @staticmethod
    def _raise_if_final(exc: Exception, answer: Exception | None) -> None:
        """Raise what ``process_exception`` answered, unless it is None."""
        try:
            if answer is exc:
                raise exc
            if answer is None:
                return
            if not isinstance(answer, BaseException):
                raise TypeError(
                    "process_exception must return an exception or None, "
                    f"not {type(answer).__name__}"
                ) from exc
            raise answer from exc
        finally:
            del answer, exc

    async def _pause(
        self, backoff: Backoff, delay: float, exc: Exception | None
    ) -> None:
        """Wait before the next attempt, and say so."""
        logger = self._logger or logging.getLogger("websockets.client")
        if exc is None:
            logger.info("connection ended early; reconnecting in %.1f seconds", delay)
        elif backoff.attempts == 1:
            logger.info(
                "! connect failed; reconnecting in %.1f seconds", delay, exc_info=exc
            )
        else:
            logger.info(self.FAILED_AGAIN, delay, exc_info=exc)
        await asyncio.sleep(delay)


class GivenDelays(Backoff):
    """
    Delays that the caller chose.

    Args:
        make: returns the delays, in seconds, that follow failures in a row. When
            they come to an end, so do the attempts.

    """

    def __init__(self, make: Delays) -> None:
        super().__init__()
        self._make = cast(Callable[[], Iterable[float]], make)
        self._delays = self._begin()

    def _begin(self) -> Iterator[float]:
        delays = self._make()
        if not isinstance(delays, Iterable):
            raise TypeError(
                "reconnect_delays must return an iterable of seconds, "
                f"not {type(delays).__name__}"
            )
        return iter(delays)

    def failed(self) -> float:
        """Note that an attempt failed; return how long to wait, or infinity."""
        self.attempts += 1
        return next(self._delays, math.inf)

    def ended(self, lived: float) -> float:
        """Note that a connection has ended, after so many seconds."""
        if lived >= LIVED:
            self._delays = self._begin()
        return super().ended(lived)


async def _current(source: T | Callable[[], Any]) -> T:
    """Return a value, or what a function returns, be it async or not."""
    if not callable(source):
        return source
    value = source()
    return cast(T, await value if inspect.isawaitable(value) else value)


def _retry_after(exc: Exception) -> float:
    """Return how many seconds a refusal asks to wait (RFC 9110, 10.2.3)."""
    # It takes a while to import, and most servers don't ask for anything.
    from email.utils import parsedate_to_datetime

    if not isinstance(exc, (InvalidStatus, InvalidProxyStatus)):
        return 0.0
    [value] = exc.response.headers.get_all("Retry-After")[:1] or [""]
    if value.strip().isdecimal():
        seconds = float(value)
    else:
        try:
            when = parsedate_to_datetime(value)
        except ValueError:
            return 0.0
        seconds = when.timestamp() - time.time()
    return min(max(seconds, 0.0), _MOST_RETRY_AFTER)


def without_secrets(headers: HeadersLike | None) -> HeadersLike | None:
    """Leave out what was meant for another origin."""
    if headers is None:
        return None
    kept = Headers(headers)
    for name in _SECRETS:
        if name in kept:
            del kept[name]
    return kept
