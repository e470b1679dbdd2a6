"""Floor 4, engine: what applications do with a connection on asyncio.

:class:`Connection` has the operations that both faces offer; the machinery under
them is in :class:`~.engine.Engine`. Hook signatures, attribute names and error
types are the faces' own.
"""

from __future__ import annotations

import asyncio
import collections
from collections.abc import AsyncIterable, Iterable, Iterator, Mapping
from typing import Any

from ..codes import CloseCode, State
from ..exceptions import ConcurrencyError, ConnectionClosedOK, InvalidState
from ..frames import prepare_ctrl
from ..session.inbox import Fragments
from ..typing import Data
from .engine import COLLECT, OPERATIONS, Engine, default_to_none, release
from .waiters import Waiter

__all__ = ["Connection"]

CONNECTING, OPEN, CLOSING, CLOSED = State

_BYTES = (bytes, bytearray, memoryview)


class Connection(Engine):
    """
    A WebSocket connection on asyncio, whatever its side.

    Both faces' connections are of this class.

    Attributes:
        handler_task: on a server, the task that performs the handshake and runs
            the handler; None before the request has come, and on a client.

    """

    handler_task: asyncio.Task[None] | None

    # Receiving messages.

    async def recv(self) -> Data:
        """
        Receive the next message.

        Returns:
            A str for a text message, bytes for a binary one.

        Raises:
            ConnectionClosed: if the connection is closed and all messages that
                came before were received.
            ConcurrencyError: if another task is waiting for a message.

        Cancelling is safe: no message is lost. So is a timeout, for example
        with :func:`asyncio.timeout`.
        """
        messages = self._inbox.messages
        while True:
            if self._budget <= 0:
                await self._share_turn()
            if messages:
                break
            if self._session.held:
                self._read_held()
                continue
            if self.protocol._state is CLOSED:
                raise self._closed_error()
            await self._park()
        self._budget -= 1
        message = messages.popleft()
        if self._reading_paused:
            self._maybe_resume_reading()
        return message.join() if type(message) is Fragments else message  # type: ignore[return-value]

    async def __anext__(self) -> Data:
        """
        Receive the next message, until the connection is closed normally.

        Raises:
            ConnectionClosedError: if the connection is closed otherwise than
                with code 1000 (OK) or 1001 (going away), or without a code.

        """
        messages = self._inbox.messages
        protocol = self.protocol
        if not messages and protocol._state is OPEN and not self._session.held:
            await self._park()
        if messages and self._budget > 0 and not self._reading_paused:
            # What recv() would do.
            self._budget -= 1
            message = messages.popleft()
            return message.join() if type(message) is Fragments else message  # type: ignore[return-value]
        try:
            return await self.recv()
        except ConnectionClosedOK:
            raise StopAsyncIteration from None

    def _park(self) -> Waiter:
        """Return what to wait on until a message is there, or the end."""
        waiter = self._recv_waiter
        if waiter is None:
            waiter = self._recv_waiter = Waiter(self._get_loop())
        elif waiter.parked:
            raise ConcurrencyError(
                "cannot call recv() while another task is waiting for a message"
            )
        self._budget = OPERATIONS
        self._turn_began = 0.0
        if self._reading_paused:
            # Whoever waits for the end of a large message needs the rest of it.
            self._resume_reading()
        return waiter

    # Sending messages.

    async def send(self, message: Any) -> None:
        """
        Send a message.

        Args:
            message: a str for a text message; bytes-like for a binary one. An
                iterable or asynchronous iterable of either sends one message in
                fragments, each as soon as it is there.

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
        protocol = self.protocol
        if protocol._state is not OPEN or self._message_waiters is not None:
            await self._sendable()
        if isinstance(message, str):
            protocol.write_data(1, message.encode())
        elif isinstance(message, _BYTES):
            if type(message) is memoryview:
                message = bytes(message)
            protocol.write_data(2, message)
        else:
            await self._send_fragments(message)
            return
        if self._corked or self._dirty:
            if protocol.unsent > COLLECT:
                self._flush()
        else:
            self._written()
        if self._writing_paused:
            await self._drained()
        self._budget -= 1
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

    async def _send_fragments(self, message: Any) -> None:
        """Send a message whose fragments come one after the other."""
        if isinstance(message, Mapping):
            raise TypeError("cannot send a dict-like object; encode it, as with json")
        if not isinstance(message, (Iterable, AsyncIterable)):
            raise TypeError(
                "message must be str, bytes-like, or an iterable of these, "
                f"not {type(message).__name__}"
            )
        outbox = self._session.outbox
        outbox.begin()
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
            outbox.end()
            waiters, self._message_waiters = self._message_waiters, None
            release(waiters)

    async def _send_fragment(self, fragment: Data, last: bool) -> None:
        if self.protocol._state is not OPEN:
            await self.wait_closed()
            raise self._closed_error()
        self._session.outbox.write(fragment, last)
        self._written()
        if self._writing_paused:
            await self._drained()

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
                if waiter.cancelled() and self._drain_waiters:
                    self._drain_waiters.remove(waiter)
        if self._lost:
            raise self._closed_error()

    # Pings and pongs.

    async def ping(self, data: Data | None = None) -> asyncio.Future[float]:
        """
        Send a ping (RFC 6455, 5.5.2).

        Args:
            data: payload, at most 125 bytes; a str is encoded to UTF-8. None
                for a random one.

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
        pings.add(payload, waiter, loop.time())
        self._written()
        return waiter

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
        if self.protocol._state is OPEN:
            self.protocol.send_close(code, reason)
            self._pump()
        elif self.protocol._state is CONNECTING and self.transport is not None:
            self.transport.abort()
        if self.transport is not None:
            await self.wait_closed()


default_to_none(Connection, "handler_task")


def _with_last(items: Iterable[Any]) -> Iterator[tuple[Any, bool]]:
    """Yield each item with whether it is the last one."""
    iterator = iter(items)
    for item in iterator:
        for following in iterator:
            yield item, False
            item = following
        yield item, True
