"""Floor 4, engine: TLS: contexts of clients that bring none, and servers' handshakes.

An event loop that accepts connections with TLS makes all that TLS needs for each of
them at once, and tells nobody of it until the TLS handshake has succeeded: on asyncio,
1,000 peers that say nothing take 260 MiB, and nobody can count them. So connections are
accepted without TLS. They're half-open, for the server's
:class:`~.admission.Admission`, like any whose request hasn't come, and TLS begins for
those that have sent their ClientHello (RFC 8446, 4.1.2).

While it is for us to go on, a connection isn't half-open: :class:`TLSTurns` has the
handshakes wait in line, since each costs a signature.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import functools
import logging
import math
import ssl
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from ..exceptions import forget_tracebacks
from ..typing import LoggerLike, StatusLike
from .loops import Deadline, loop_state

if TYPE_CHECKING:
    from .admission import Admission

__all__ = ["TLSHandshake", "TLSStarter", "TLSTurns", "default_tls_context"]

#: Seconds for a TLS handshake where nobody gives others: those of event loops.
_TIMEOUT = 60.0

#: The content type of a TLS record with a ClientHello, and the bytes before its content
#: (RFC 8446, 5.1).
_HANDSHAKE, _RECORD = 22, 5

#: The type of a ClientHello, and the bytes before its content (RFC 8446, 4).
_CLIENT_HELLO, _MESSAGE = 1, 4

#: Bytes that a ClientHello may have. TLS libraries take some more; clients send up to
#: two thousand.
_LARGEST = 2**16

#: Handshakes that may wait for their turn, for each connection that may be half-open.
_IN_LINE = 10

#: TLS handshakes that are begun in one iteration of the event loop. Each takes a
#: millisecond or so of the processor, with large keys several.
_AT_ONCE = 4

#: Bytes that may come in the moment before a connection is handed over: clients send a
#: request, and wait.
_EARLY = 2**17


@functools.cache
def default_tls_context() -> ssl.SSLContext:
    """Return the TLS context of clients that bring none: one for the process."""
    return ssl.create_default_context()


class Host(Protocol):
    """
    What a TLS handshake needs of its server.

    Attributes:
        admission: who gets in.
        securing: TLS handshakes under way.
        turns: when they begin.
        logger: logger of the server.

    """

    admission: Admission
    securing: set[TLSHandshake]
    turns: TLSTurns
    logger: LoggerLike


@dataclasses.dataclass(frozen=True)
class TLSStarter:
    """
    Starts TLS on connections that were accepted without.

    Args:
        start: ``start_tls()`` of the event loop, or what has its place.
        options: the TLS arguments that the event loop's ``create_server()`` takes.

    Raises:
        ValueError: if a timeout among the options isn't positive.
        ssl.SSLError: if the TLS context isn't one for servers.

    """

    start: Callable[..., Any]
    options: Mapping[str, Any]

    def __post_init__(self) -> None:
        for name, seconds in self.options.items():
            if name.endswith("_timeout") and seconds is not None and seconds <= 0:
                raise ValueError(f"{name} must be positive: {seconds}")
        # Better now than for every connection.
        self.options["ssl"].wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)

    @property
    def timeout(self) -> float:
        """Seconds for a handshake."""
        seconds: float | None = self.options.get("ssl_handshake_timeout")
        return _TIMEOUT if seconds is None else seconds

    async def __call__(self, transport: Any, protocol: asyncio.BaseProtocol) -> Any:
        """Start TLS; return the transport, None where the connection was lost."""
        options = dict(self.options)
        context = options.pop("ssl")
        return await self.start(
            transport, protocol, context, server_side=True, **options
        )


class TLSTurns:
    """Begins TLS handshakes, a few at once, so that others have their turn."""

    def __init__(self) -> None:
        self._waiting: collections.deque[TLSHandshake] = collections.deque()

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def begin_soon(self, handshake: TLSHandshake) -> None:
        """Begin a handshake after those that have come before."""
        self._waiting.append(handshake)
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._begin_some)

    def _begin_some(self) -> None:
        for _ in range(min(_AT_ONCE, len(self._waiting))):
            self._waiting[0].begin()
            self._waiting.popleft()
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._begin_some)


class ClientHello:
    """
    What a client's TLS handshake begins with, as it comes.

    Attributes:
        data: what has come.

    """

    def __init__(self) -> None:
        self.data = bytearray()
        # Where the next record begins; the content of those before it: how much, and
        # the header of the message in it.
        self._next = 0
        self._content = 0
        self._header = b""

    def add(self, data: bytes) -> bool:
        """
        Take what has come.

        Returns:
            Whether that's all of it, or something that isn't one: the TLS library
            knows what to say of that.

        Raises:
            ValueError: if it is too large.

        """
        self.data += data
        while len(self.data) > self._next:
            start = self._next + _RECORD
            if self.data[self._next] != _HANDSHAKE:
                return True
            if len(self.data) < start:
                break
            size = int.from_bytes(self.data[start - 2 : start])
            if not size:
                return True
            missing = _MESSAGE - len(self._header)
            if len(self.data) < start + min(size, missing):
                break
            header = self._header + self.data[start : start + min(size, missing)]
            if header[0] != _CLIENT_HELLO:
                return True
            length = _MESSAGE + int.from_bytes(header[1:])
            if len(header) == _MESSAGE and length > _LARGEST:
                raise ValueError(f"a ClientHello of {length} bytes is too large")
            if len(self.data) < start + size:
                break
            self._header = bytes(header)
            self._content += size
            self._next = start + size
            if len(header) == _MESSAGE and self._content >= length:
                return True
        if len(self.data) > 2 * _LARGEST:
            raise ValueError("a ClientHello in so many records is too large")
        return False


class TLSHandshake(asyncio.Protocol):
    """
    A connection from its being accepted to the end of its TLS handshake.

    Args:
        host: the server.
        make: makes the connection that has its place then.
        start: starts TLS.

    """

    def __init__(self, host: Host, make: Callable[[], Any], start: TLSStarter) -> None:
        self._host = host
        self._make = make
        self._start = start
        self._loop = asyncio.get_running_loop()
        self.transport: Any = None
        self._hello: ClientHello | None = ClientHello()
        self._task: asyncio.Task[None] | None = None
        self._deadline: Deadline | None = None
        self._rejected = False

    def __repr__(self) -> str:
        """Show whose handshake it is."""
        peer = self.transport and self.transport.get_extra_info("peername")
        return f"<TLSHandshake {peer} at {id(self):#x}>"

    # Callbacks of the event loop.

    def connection_made(self, transport: Any) -> None:
        """Take the transport; called by the event loop."""
        self.transport = transport
        self._host.securing.add(self)
        if self._start.timeout < math.inf:
            when = self._loop.time() + self._start.timeout
            self._deadline = loop_state(self._loop).add_deadline(when, self)
        self._host.admission.arrived(self)

    def data_received(self, data: bytes) -> None:
        """Take a part of the ClientHello; called by the event loop."""
        admission = self._host.admission
        assert self._hello is not None
        try:
            whole = self._hello.add(data)
        except ValueError as exc:
            self._log(exc)
            self.cut("too_large")
            return
        if not whole:
            admission.received(self, len(data))
            return
        # It's our turn, and whoever waits for us isn't slow.
        admission.settle(self)
        self.transport.pause_reading()
        limit = admission.limits.handshakes
        if limit is not None and len(self._host.turns) >= _IN_LINE * limit:
            self.cut("handshakes")
        else:
            self._host.turns.begin_soon(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave; called by the event loop if TLS hasn't begun."""
        self._left()

    # Where a handshake ends early.

    def count_rejection(self, reason: str) -> None:
        """Take note of why the handshake fails; the first time counts."""
        if not self._rejected:
            self._rejected = True
            self._host.admission.rejected[reason] += 1

    def turn_away(
        self, status: StatusLike, text: str, retry_after: float | None
    ) -> None:
        """Refuse the connection: without TLS, there's no way to say why."""
        self.transport.abort()

    def cut(self, reason: str) -> None:
        """End the handshake, for a reason to count by."""
        self.count_rejection(reason)
        if self.transport is not None:
            self.transport.abort()

    def check_deadlines(self, now: float) -> None:
        """End the handshake: it takes too long."""
        self._deadline = None
        self.cut("timeout")

    # TLS.

    def begin(self) -> None:
        """Begin TLS; never raises an exception."""
        if self not in self._host.securing:
            # It has ended meanwhile.
            return
        self._host.admission.arrived(self)
        try:
            self._task = self._loop.create_task(self._secure())
        except Exception as exc:
            self._fail(exc)
            return
        self._task.add_done_callback(self._ended)
        self._hand_in_soon()

    def _hand_in_soon(self) -> None:
        """Hand in what has come, between what TLS does first and what it reads."""
        if self._task is None:
            # It's over already.
            return
        if self.transport.get_protocol() is not self:
            self._loop.call_soon(self._hand_in)
        else:
            # The task's first step is about to be.
            self._loop.call_soon(self._hand_in_soon)

    def _hand_in(self) -> None:
        """Hand the ClientHello in to TLS, as the event loop would have."""
        if self.transport is None or self._hello is None:
            return
        protocol, data = self.transport.get_protocol(), self._hello.data
        self._hello = None
        try:
            while data and not self.transport.is_closing():
                buffer = protocol.get_buffer(len(data))
                size = min(len(buffer), len(data))
                buffer[:size] = data[:size]
                protocol.buffer_updated(size)
                del data[:size]
        except Exception as exc:
            self._fail(exc)

    async def _secure(self) -> None:
        """Perform the TLS handshake, and hand over the connection."""
        if self.transport.is_closing():
            return
        early = _Early(self)
        try:
            transport = await self._start(self.transport, early)
        except ConnectionError as exc:
            self._log(exc)
            self.cut("lost")
        except OSError as exc:
            # TLS errors are among them.
            self._log(exc)
            self.cut("tls")
        except Exception as exc:
            self._fail(exc)
        else:
            if transport is None or transport.is_closing():
                return
            try:
                connection = self._make()
                self._left(well=True)
                early.hand_over(connection, transport)
            except Exception as exc:
                self._fail(exc)

    def _log(self, exc: Exception) -> None:
        if self._host.logger.isEnabledFor(logging.DEBUG):
            self._host.logger.debug("! TLS handshake failed: %s", exc)
        forget_tracebacks(exc)

    def _fail(self, exc: Exception) -> None:
        """End the connection because of an error that isn't the peer's."""
        self.cut("error")
        self._loop.call_exception_handler(
            {"message": "serving a connection failed", "exception": exc}
        )

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Clean up, also after a task that was cancelled before it began."""
        if task.cancelled():
            self.transport.abort()
        self._left()
        # uvloop's transports remember their first protocol, for ever.
        self._task = self.transport = None

    def _left(self, *, well: bool = False) -> None:
        """Let the server know that this is over."""
        if self in self._host.securing:
            self._host.securing.remove(self)
            self._host.admission.left(self)
            if self._deadline is not None:
                loop_state(self._loop).drop_deadline(self._deadline)
            if not well:
                self.count_rejection("lost")


class _Early(asyncio.Protocol):
    """
    Keeps what comes after the TLS handshake until the connection is handed over.

    Args:
        handshake: the handshake.

    """

    def __init__(self, handshake: TLSHandshake) -> None:
        self._handshake = handshake
        self._data = b""
        self._connection: Any = None

    def hand_over(self, connection: Any, transport: Any) -> None:
        """Have a connection take over, with what has come."""
        self._connection = connection
        transport.set_protocol(connection)
        connection.connection_made(transport)
        if self._data:
            connection.data_received(self._data)

    def data_received(self, data: bytes) -> None:
        """Keep data; called by the event loop."""
        self._data += data
        if len(self._data) > _EARLY:
            self._handshake.cut("too_large")

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the connection; called by the event loop."""
        if self._connection is not None:
            self._connection.connection_lost(exc)
