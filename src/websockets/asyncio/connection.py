"""Floor 4, engine: what applications do with a connection on asyncio.

:class:`Connection` has the operations that both faces offer; the machinery under
them is in :class:`~.engine.Engine`. Hook signatures, attribute names and error
types are the faces' own.
"""

from __future__ import annotations

import asyncio
import collections
import math
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Iterable,
    Iterator,
    Mapping,
)
from typing import Any, Literal, overload

from ..codes import CloseCode, State
from ..exceptions import ConcurrencyError, ConnectionClosedOK, InvalidState
from ..frames import prepare_ctrl
from ..protocol import Protocol
from ..session.inbox import Fragments
from ..session.limits import Limits
from ..session.settings import Settings, make_settings
from ..session.stats import ConnectionStats
from ..typing import Data
from .counting import count
from .engine import Engine, default_to_none
from .loops import check_loop
from .streaming import MessageStream
from .waiters import Waiter, release

__all__ = ["Connection"]

CONNECTING, OPEN, CLOSING, CLOSED = State

_BYTES = (bytes, bytearray, memoryview)
_DATA = (str, *_BYTES)

#: Operations that a task may do without waiting before the clock is read.
_OPERATIONS = 64
#: Seconds that a task may go on without waiting, and that all may in an iteration of
#: the event loop, those of other connections included.
_TURN = 0.002
_TURNS = 0.02

#: Sending so many bytes, as a power of 2, takes as much time as another message.
_EFFORT = 13

_STREAMING = "cannot call recv() while recv_streaming() is receiving a message"


class Connection(Engine):
    """
    A WebSocket connection on asyncio, whatever its side.

    Both faces' connections are of this class. ``async with`` closes a connection
    at the end, with code 1011 if that was an exception.

    Args:
        protocol: the sans-I/O protocol of this connection.
        settings: how the connection behaves; None for what follows.
        ping_interval: seconds between keepalive pings, a millisecond at least; None
            for no pings.
        ping_timeout: seconds for a sign of life after a keepalive ping, and
            for a write backlog to make progress; None for no limit.
        close_timeout: seconds for the closing handshake; None for no limit.
        max_queue: messages that may wait to be received; None for no limit;
            a pair for where to pause and where to resume reading.
        write_limit: bytes that may wait to be written before sending waits; a
            pair for where to pause and where to resume.
        open_timeout: seconds for the opening handshake; None for no limit.
        limits: what the peer may use; None for ``Limits()``.

    Attributes:
        handler_task: on a server, the task that performs the handshake and runs
            the handler; None before the request has come, and on a client.

    """

    handler_task: asyncio.Task[None] | None

    def __init__(
        self,
        protocol: Protocol,
        settings: Settings | None = None,
        *,
        ping_interval: float | None = 20,
        ping_timeout: float | None = 20,
        close_timeout: float | None = 10,
        max_queue: int | tuple[int | None, int | None] | None = 16,
        write_limit: int | tuple[int, int | None] = 2**15,
        open_timeout: float | None = None,
        limits: Limits | None = None,
    ) -> None:
        if settings is None:
            settings = make_settings(
                ping_interval=ping_interval,
                ping_timeout=ping_timeout,
                close_timeout=close_timeout,
                max_queue=max_queue,
                write_limit=write_limit,
                open_timeout=open_timeout,
                limits=limits,
            )
        super().__init__(protocol, settings)
        self._budget = _OPERATIONS

    # What is known of the connection.

    @property
    def local_address(self) -> Any:
        """
        Address of this end: what the socket's ``getsockname()`` returns.

        None if the connection isn't established yet.
        """
        return self._extra_info("sockname")

    @property
    def remote_address(self) -> Any:
        """
        Address of the other end: what the socket's ``getpeername()`` returns.

        None if the connection isn't established yet.
        """
        return self._extra_info("peername")

    def _extra_info(self, name: str) -> Any:
        return None if self.transport is None else self.transport.get_extra_info(name)

    @property
    def latency(self) -> float:
        """Seconds between the last answered ping and its pong; 0 before that."""
        return self._session.pings.latency

    @property
    def close_code(self) -> int | None:
        """Close code received; None while open, 1006 without a close frame."""
        return self.protocol.close_code

    @property
    def close_reason(self) -> str | None:
        """Close reason received; None while open, empty without one."""
        return self.protocol.close_reason

    @property
    def stats(self) -> ConnectionStats:
        """What the connection has counted so far; a new object each time."""
        return count(self)

    def __repr__(self) -> str:
        """Show what the connection is, where to, and its state."""
        name, state = type(self).__name__, self.protocol.state.name
        peer = self.remote_address
        return f"<{name} {state}{f' {peer}' if peer else ''} at {id(self):#x}>"

    @property
    def ping_interval(self) -> float | None:
        """Seconds between keepalive pings; None for no pings."""
        return self._session.clock.ping_interval

    @property
    def ping_timeout(self) -> float | None:
        """Seconds for a sign of life after a keepalive ping; None for no limit."""
        return self._session.clock.ping_timeout

    @property
    def close_timeout(self) -> float | None:
        """Seconds for the closing handshake; None for no limit."""
        return self._session.clock.close_timeout

    @close_timeout.setter
    def close_timeout(self, value: float | None) -> None:
        self._session.clock.close_timeout = value

    @property
    def max_queue(self) -> int | tuple[int | None, int | None] | None:
        """Messages that may wait to be received; None for no limit."""
        return self._settings.max_queue

    @property
    def write_limit(self) -> int | tuple[int, int | None]:
        """Bytes that may wait to be written before sending waits."""
        return self._settings.write_limit

    async def __aenter__(self) -> Any:
        """Return the connection."""
        return self

    async def __aexit__(self, exc_type: object, *exc_info: object) -> None:
        """Close the connection; with code 1011 after an exception."""
        if exc_type is None:
            await self.close()
        else:
            await self.close(CloseCode.INTERNAL_ERROR)

    # Receiving messages.

    @overload
    async def recv(self, decode: Literal[True]) -> str: ...

    @overload
    async def recv(self, decode: Literal[False]) -> bytes: ...

    @overload
    async def recv(self, decode: bool | None = None) -> Data: ...

    async def recv(self, decode: bool | None = None) -> Data:
        """
        Receive the next message.

        Args:
            decode: True for a str whatever the message is, False for bytes; None
                for what the message is.

        Returns:
            A str for a text message, bytes for a binary one, unless ``decode``
            says otherwise.

        Raises:
            ConnectionClosed: if the connection is closed and all messages that
                came before were received.
            ConcurrencyError: if another task is receiving a message.
            UnicodeDecodeError: if a binary message is to be decoded and isn't
                UTF-8.

        Cancelling is safe: no message is lost. So is a timeout, for example
        with :func:`asyncio.timeout`.
        """
        if not self._inbox.messages and self._must_wait():
            await self._park()
        message = self._take_now()
        if message is None:
            message = await self._take()
        return message if decode is None else convert(message, decode)

    def _take_now(self) -> Data | None:
        """Take a message if that needs nothing else; None if it does."""
        if not self._inbox.messages or self._budget <= 0 or self._reading_paused:
            return None
        self._budget -= 1
        message = self._inbox.popleft()
        return self._join(message) if type(message) is Fragments else message  # type: ignore[return-value]

    async def _take(self) -> Data:
        """Take a message, once there is one."""
        messages = self._inbox.messages
        while True:
            if self._budget <= 0:
                await self._share_turn()
            if messages:
                break
            if self._session.held:
                self._read_held()
                continue
            if self._lost:
                # The end of the stream comes first; close() would still wait.
                raise self._closed_error()
            await self._park()
        self._budget -= 1
        message = messages.popleft()
        if self._reading_paused:
            self._maybe_resume_reading()
        return self._join(message) if type(message) is Fragments else message  # type: ignore[return-value]

    def __aiter__(self) -> AsyncIterator[Data]:
        """
        Iterate over messages until the connection is closed.

        Ends when it is closed with code 1000 (OK) or 1001 (going away) or
        without a code, and raises :exc:`ConnectionClosedError` otherwise.
        """
        if type(self).recv is not Connection.recv or "recv" in vars(self):
            return self._iterate()
        return self

    async def _iterate(self) -> AsyncIterator[Data]:
        """Iterate over what a recv() gives that isn't ours."""
        try:
            while True:
                yield await self.recv()
        except ConnectionClosedOK:
            return

    async def __anext__(self) -> Data:
        """
        Receive the next message, until the connection is closed normally.

        Raises:
            ConnectionClosedError: if the connection is closed otherwise than
                with code 1000 (OK) or 1001 (going away), or without a code.

        """
        if not self._inbox.messages and self._must_wait():
            await self._park()
        message = self._take_now()
        if message is None:
            try:
                message = await self._take()
            except ConnectionClosedOK:
                raise StopAsyncIteration from None
        return message

    def _must_wait(self) -> bool:
        """Tell whether, if no message waits, there is nothing for it but to wait."""
        return self.protocol._state is OPEN and not self._session.held

    def _join(self, fragments: Fragments) -> Data:
        """Return a message that came in several frames as one object."""
        if fragments.streamed:
            self._inbox.messages.appendleft(fragments)
            raise ConcurrencyError(_STREAMING)
        return fragments.join()

    @overload
    def recv_streaming(self, decode: Literal[True]) -> MessageStream[str]: ...

    @overload
    def recv_streaming(self, decode: Literal[False]) -> MessageStream[bytes]: ...

    @overload
    def recv_streaming(self, decode: bool | None = None) -> MessageStream[Data]: ...

    def recv_streaming(self, decode: bool | None = None) -> MessageStream[Any]:
        """
        Receive the next message part by part, each as soon as its frame came.

        Args:
            decode: True for str whatever the message is, False for bytes; None
                for what the message is.

        Returns:
            An asynchronous iterator over the parts.

        Raises:
            ConnectionClosed: when iterating, if the connection is closed before
                the message has ended.
            ConcurrencyError: when iterating, if another task is receiving.

        Cancelling is safe before the first part: the message stays for the next
        one who receives. Later, leaving the iteration drops the rest of it.
        """
        return MessageStream(self, decode)

    def park(self) -> Waiter:
        """Return what to wait on until a message is there, or the end."""
        return self._park()

    def _park(self) -> Waiter:
        waiter = self._recv_waiter
        if waiter is None:
            waiter = self._recv_waiter = Waiter(self._get_loop())
        elif waiter.parked:
            raise ConcurrencyError(
                "cannot call recv() while another task is waiting for a message"
            )
        if self._inbox.streaming:
            raise ConcurrencyError(_STREAMING)
        # A new turn begins when it goes on.
        self._budget = _OPERATIONS
        self._turn_began = 0.0
        if self._reading_paused:
            # Whoever waits for the end of a large message needs the rest of it.
            self._resume_reading()
        return waiter

    # Sharing the event loop.

    async def _share_turn(self) -> None:
        """Let others have their turn if tasks have gone on for too long."""
        self._budget = _OPERATIONS
        assert self._shared is not None
        now = self._shared.clock()
        if self._turn_began == 0.0:
            self._turn_began = now
        if now - self._turn_began > _TURN or self._shared.gone_on(now) > _TURNS:
            self._turn_began = -1.0  # Others have theirs.
            try:
                await asyncio.sleep(0)
            finally:
                self._turn_began = 0.0

    # Sending messages.

    async def send(self, message: Any, *, text: bool | None = None) -> None:
        """
        Send a message.

        Args:
            message: a str for a text message; bytes-like for a binary one. An
                iterable or asynchronous iterable of either sends one message in
                fragments, each as soon as it is there.
            text: True to send bytes as a text message (they must be UTF-8),
                False to send a str as a binary one; None for what they are.

        Raises:
            ConnectionClosed: if the connection is closed.
            TypeError: if ``message`` is none of these. A dict is refused, since
                sending its keys is never meant.

        Returns when the message was handed to the operating system or waits in a
        buffer with less than ``write_limit`` bytes; this is how a slow receiver
        slows down the sender. Any number of tasks may send at the same time.

        Cancelling while it waits for room in the buffer doesn't take back the
        message. Cancelling in the middle of fragments ends the connection with
        code 1011, since the message can't be completed.
        """
        while not self._send_now(message, text):
            await self._sendable()
            if not isinstance(message, _DATA):
                await self._send_fragments(message, text)
                return
        if self._must_rest():
            await self._rest()

    def _send_now(self, message: Any, text: bool | None) -> bool:
        """Send a message if that needs nothing else; tell whether it was sent."""
        protocol = self.protocol
        if protocol._state is not OPEN or self._message_waiters is not None:
            return False
        if not (self._corked or self._dirty):
            # Otherwise somebody has sent in this very turn of the loop.
            check_loop(self.loop)
        if type(message) is bytes or isinstance(message, _BYTES):
            if type(message) is memoryview:
                message = bytes(message)
            protocol._write_data(1 if text else 2, message, True)
        elif isinstance(message, str):
            protocol._write_data(2 if text is False else 1, message.encode(), True)
        else:
            return False
        self._written()
        self._budget -= 1 + (len(message) >> _EFFORT)
        return True

    def _must_rest(self) -> bool:
        """Tell whether a sender must wait before it goes on."""
        return self._writing_paused or self._budget <= 0

    async def _rest(self) -> None:
        """Wait for room in the transport's buffer, and let others have a turn."""
        if self._writing_paused:
            await self._drained()
        if self._budget <= 0:
            await self._share_turn()

    async def _sendable(self) -> None:
        """Wait until a message may be sent, and raise if none may any more."""
        while True:
            await self._open()
            if self._message_waiters is None:
                return
            waiter = self._get_loop().create_future()
            self._message_waiters.append(waiter)
            await waiter

    async def _send_fragments(self, message: Any, text: bool | None) -> None:
        """Send a message whose fragments come one after the other."""
        if isinstance(message, Mapping):
            raise TypeError("cannot send a dict-like object; encode it, as with json")
        if not isinstance(message, (Iterable, AsyncIterable)):
            raise TypeError(
                "message must be str, bytes-like, or an iterable of these, "
                f"not {type(message).__name__}"
            )
        outbox = self._session.outbox
        outbox.begin(text)
        # RFC 6455, 5.4: no other message may come between the fragments.
        self._message_waiters = collections.deque()
        try:
            if isinstance(message, AsyncIterable):
                async for fragment in message:
                    await self._send_fragment(fragment, False)
                if outbox.finish():
                    self._written()
            else:
                for fragment, last in _with_last(message):
                    await self._send_fragment(fragment, last)
        except BaseException:
            if outbox.started:
                # Half a message can't be taken back.
                self.fail(CloseCode.INTERNAL_ERROR, "error in fragmented message")
            raise
        finally:
            waiters, self._message_waiters = self._message_waiters, None
            release(waiters)

    async def _send_fragment(self, fragment: Data, last: bool) -> None:
        if self.protocol._state is not OPEN:
            await self.wait_closed()
            raise self._closed_error()
        self._session.outbox.write(fragment, last)
        self._written()
        self._budget -= 1 + (len(fragment) >> _EFFORT)
        if self._must_rest():
            await self._rest()

    async def _drained(self) -> None:
        """Wait until the transport takes more, or the connection is lost."""
        while self._writing_paused and not self._lost:
            if self._drain_waiters is None:
                self._drain_waiters = collections.deque()
            waiter = self._get_loop().create_future()
            self._drain_waiters.append(waiter)
            try:
                await waiter
            finally:
                # Others may wait already for the next time there is room.
                if waiter.cancelled() and waiter in (self._drain_waiters or ()):
                    self._drain_waiters.remove(waiter)
        if self._lost:
            raise self._closed_error()

    # Pings and pongs.

    async def ping(
        self, data: Data | None = None, *, ack_on_close: bool = False
    ) -> asyncio.Future[float]:
        """
        Send a ping (RFC 6455, 5.5.2).

        Args:
            data: payload, at most 125 bytes; a str is encoded to UTF-8. None
                for a random one.
            ack_on_close: whether the end of the connection counts as an answer;
                the latency is NaN then.

        Returns:
            A future: its result is the latency in seconds, when the pong has
            come; its exception is ConnectionClosed, if it hasn't before the
            end. It needn't be awaited.

        Raises:
            ConnectionClosed: if the connection is closed.
            ConcurrencyError: if a ping with this payload isn't answered yet.
            ProtocolError: if there are more than 125 bytes.

        """
        await self._open()
        pings = self._session.pings
        payload = pings.choose_payload() if data is None else prepare_ctrl(data)
        if payload in pings:
            raise ConcurrencyError("already waiting for a pong with the same data")
        self.protocol.send_ping(payload)
        loop = self._get_loop()
        waiter: asyncio.Future[float] = loop.create_future()
        assert self._shared is not None
        pings.add(payload, waiter, self._shared.clock())
        self._written()
        return _acknowledged_by_end(waiter) if ack_on_close else waiter

    async def pong(self, data: Data = b"") -> None:
        """
        Send a pong that answers no ping (RFC 6455, 5.5.3).

        Pings are answered without this.

        Args:
            data: payload, at most 125 bytes; a str is encoded to UTF-8.

        Raises:
            ConnectionClosed: if the connection is closed.
            ProtocolError: if there are more than 125 bytes.

        """
        await self._open()
        self.protocol.send_pong(prepare_ctrl(data))
        self._written()

    async def _open(self) -> None:
        """Return if the connection is open, and raise if it isn't."""
        check_loop(self.loop)
        if self.protocol._state is CONNECTING:
            raise InvalidState("cannot send before the opening handshake is done")
        if self.protocol._state is not OPEN:
            await self.wait_closed()
            raise self._closed_error()

    # Closing.

    async def close(
        self, code: CloseCode | int = CloseCode.NORMAL_CLOSURE, reason: str = ""
    ) -> None:
        """
        Close the connection, and wait until it is closed.

        Doing it again, or after the other end did, only waits.

        Args:
            code: why: 1000 to 1014 except 1004, 1005 and 1006, or 3000 to 4999.
            reason: an explanation for people, at most 123 bytes of UTF-8.

        Raises:
            ProtocolError: if the code or the reason can't be sent.

        Takes ``close_timeout`` seconds at most: a peer that doesn't answer is
        cut. Messages that came before the end can still be received. Cancelling
        doesn't stop the closing handshake; it goes on by itself.
        """
        check_loop(self.loop)
        if self.protocol._state is OPEN:
            self.protocol.send_close(code, reason)
            self._pump()
        elif self.protocol._state is CONNECTING and self.transport is not None:
            self.transport.abort()
        if self.transport is not None:
            await self.wait_closed()


default_to_none(Connection, "handler_task")


def convert(message: Any, decode: bool) -> Data:
    """Return a message as a str or as bytes."""
    if isinstance(message, str):
        return message if decode else message.encode()
    return str(message, "utf-8") if decode else message


def _acknowledged_by_end(waiter: asyncio.Future[float]) -> asyncio.Future[float]:
    """Return a future for a pong that the end of the connection stands for."""
    answer: asyncio.Future[float] = waiter.get_loop().create_future()

    def pass_on(waiter: asyncio.Future[float]) -> None:
        if not answer.done():
            failed = waiter.exception() is not None
            answer.set_result(math.nan if failed else waiter.result())

    waiter.add_done_callback(pass_on)
    return answer


def _with_last(items: Iterable[Any]) -> Iterator[tuple[Any, bool]]:
    """Yield each item with whether it is the last one."""
    iterator = iter(items)
    for item in iterator:
        for following in iterator:
            yield item, False
            item = following
        yield item, True
