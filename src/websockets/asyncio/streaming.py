"""Floor 4, engine: a message received part by part, as it comes.

A :class:`MessageStream` takes one message. As soon as it has taken the first part,
the message is its own: other tasks can't receive before it has ended, or was
closed. What it hasn't taken of its message then, nobody gets.
"""

from __future__ import annotations

import codecs
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from ..exceptions import ConcurrencyError
from ..session.inbox import Fragments, Message
from ..typing import Data

if TYPE_CHECKING:
    from .connection import Connection

__all__ = ["MessageStream"]

DataT = TypeVar("DataT", bound=Data)

_Utf8Decoder = codecs.getincrementaldecoder("utf-8")


class MessageStream(Generic[DataT]):
    """
    The parts of the next message; iterate over it with ``async for``.

    Leaving the iteration early drops the rest of the message. So does
    :meth:`aclose`, at once, where something else still refers to this object.

    Args:
        connection: where to receive.
        decode: True for str whatever the message is, False for bytes; None for
            what the message is.

    """

    def __init__(self, connection: Connection, decode: bool | None) -> None:
        self._connection = connection
        self._decode = decode
        self._decoder = _Utf8Decoder()
        #: Parts that are here, with whether each is the last one.
        self._ready: deque[tuple[Data, bool]] = deque()
        self._begun = False
        self._ended = False

    def __aiter__(self) -> MessageStream[DataT]:
        """Return the stream itself."""
        return self

    async def __anext__(self) -> DataT:
        """
        Receive the next part.

        Raises:
            ConnectionClosed: if the connection is closed before the message has
                ended.
            ConcurrencyError: if another task is receiving.
            UnicodeDecodeError: if a binary message is to be decoded and isn't
                UTF-8.

        Cancelling is safe: no part is lost, and receiving can go on.
        """
        if self._ended:
            raise StopAsyncIteration
        if not self._ready:
            await self._receive()
        part, last = self._ready.popleft()
        try:
            content = self._convert(part, last)
        except UnicodeDecodeError:
            await self.aclose()
            raise
        self._ended = last
        return content

    async def aclose(self) -> None:
        """Receive no more of this message; the rest of it is dropped."""
        self._give_up()

    def __del__(self) -> None:
        """Drop what was left by whoever left the iteration."""
        self._give_up()

    def _give_up(self) -> None:
        claimed = self._begun and not (self._ended or self._ready)
        self._ended = True
        self._ready.clear()
        if claimed:
            connection = self._connection
            connection._inbox.end_stream(drop=True)
            if connection._reading_paused:
                connection._maybe_resume_reading()

    async def _receive(self) -> None:
        """Take what there is of the message, once there is something."""
        connection = self._connection
        inbox = connection._inbox
        if connection._budget <= 0:
            await connection._share_turn()
        if not self._begun:
            self._check_alone()
        if not inbox.messages:
            inbox.begin_stream()
            try:
                await self._wait()
            except BaseException:
                if not self._begun:
                    inbox.end_stream()
                raise
        connection._budget -= 1
        self._take(inbox.popleft())
        if connection._reading_paused:
            connection._maybe_resume_reading()

    def _check_alone(self) -> None:
        connection = self._connection
        messages, waiter = connection._inbox.messages, connection._recv_waiter
        if (
            connection._inbox.streaming
            or (waiter is not None and waiter.parked)
            or (messages and type(messages[0]) is Fragments and messages[0].streamed)
        ):
            raise ConcurrencyError(
                "cannot call recv_streaming() while another task is receiving a message"
            )

    async def _wait(self) -> None:
        """Wait until a message or a part of one is there."""
        connection = self._connection
        inbox = connection._inbox
        while not inbox.messages:
            if connection._session.held:
                connection._read_held()
                continue
            if connection._lost:
                self._ended = True
                inbox.end_stream()
                raise connection._closed_error()
            # Whoever else wants to wait is told that somebody streams.
            inbox.streaming = False
            waiter = connection.park()
            inbox.streaming = True
            await waiter

    def _take(self, message: Message) -> None:
        """Make a message, or a part of one, ready to be handed out."""
        inbox = self._connection._inbox
        if type(message) is not Fragments:
            self._ready.append((cast(Data, message), True))
        else:
            parts = message.parts
            self._ready.extend((part, False) for part in parts[:-1])
            self._ready.append((parts[-1], message.last))
        self._begun = True
        if self._ready[-1][1]:
            # What follows belongs to others.
            inbox.end_stream()

    def _convert(self, part: Data, last: bool) -> DataT:
        """Return a part as the caller wants it."""
        content = part
        if self._decode is False and isinstance(part, str):
            content = part.encode()
        elif self._decode and isinstance(part, bytes):
            content = self._decoder.decode(part, last)
        return cast(DataT, content)
