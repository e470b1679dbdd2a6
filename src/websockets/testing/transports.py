"""Floor 5, faces: the ends of a wire without sockets, as asyncio's transports.

A :class:`MemoryTransport` behaves as the transport of a TCP socket does: it buffers
what the wire doesn't take, has its protocol pause and resume writing, delivers in
callbacks of the event loop, and tells the end of the stream and its loss.
"""

from __future__ import annotations

import asyncio
import collections
import contextvars
import socket
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ..typing import BytesLike

if TYPE_CHECKING:
    from .wire import Direction, Wire

__all__ = ["MemorySocket", "MemoryTransport"]

#: Most bytes that are delivered at once to a protocol that brings no buffer, as many
#: as asyncio's transports read.
_MAX_READ = 2**18

#: Default limits of asyncio's transports, in bytes.
_HIGH = 2**16


class MemorySocket:
    """
    What ``get_extra_info("socket")`` and ``server.sockets`` give: addresses only.

    Args:
        family: address family.
        address: of this end.
        peer: address of the other end; None if it listens.

    """

    type = socket.SOCK_STREAM
    proto = 0

    def __init__(self, family: int, address: Any, peer: Any = None) -> None:
        self.family = socket.AddressFamily(family)
        self._address = address
        self._peer = peer

    def __repr__(self) -> str:
        """Show the addresses."""
        peer = "" if self._peer is None else f" to {self._peer}"
        return f"<MemorySocket {self._address}{peer}>"

    def getsockname(self) -> Any:
        """Return the address of this end."""
        return self._address

    def getpeername(self) -> Any:
        """Return the address of the other end."""
        if self._peer is None:
            raise OSError("the socket isn't connected: it listens")
        return self._peer

    def fileno(self) -> int:
        """Return -1: there's no descriptor."""
        return -1

    def getsockopt(self, *args: Any) -> int:
        """Return 0, whatever is asked for."""
        return 0

    def setsockopt(self, *args: Any) -> None:
        """Do nothing: there's nothing to set."""


class MemoryTransport(asyncio.Transport):
    """
    One end of a wire.

    Args:
        wire: the wire.
        name: whose end it is: "client" or "server".
        outgoing: what this end writes to.
        incoming: what it reads from.
        extra: what :meth:`get_extra_info` returns, by name.
        context: what callbacks run in; None for the current one.

    Attributes:
        wire: the wire.
        name: whose end it is.
        gone: whether the protocol has been told that the connection is lost.

    """

    def __init__(
        self,
        wire: Wire,
        name: str,
        outgoing: Direction,
        incoming: Direction,
        extra: dict[str, Any],
        context: contextvars.Context | None = None,
    ) -> None:
        super().__init__(extra)
        self.wire = wire
        self.name = name
        self.gone = False
        self._outgoing = outgoing
        self._incoming = incoming
        self._context = context or contextvars.copy_context()
        self._protocol: Any = None
        self._reading = False
        self._closing = False
        self._losing = False
        self._ended = False
        self._buffer: collections.deque[bytes] = collections.deque()
        self._buffered = 0
        self._pushing = False
        self._protocol_paused = False
        self._high, self._low = _HIGH, _HIGH // 4

    def __repr__(self) -> str:
        """Show which end of which wire it is."""
        state = " lost" if self.gone else " closing" if self._closing else ""
        return f"<MemoryTransport {self.name} of {self.wire!r}{state}>"

    def later(self, callback: Callable[..., Any], *args: Any) -> None:
        """Have the event loop call something in this end's context."""
        self.wire.loop.call_soon(callback, *args, context=self._context)

    def at(self, when: float, callback: Callable[[], Any]) -> asyncio.TimerHandle:
        """Have the event loop call something at a time, in this end's context."""
        return self.wire.loop.call_at(when, callback, context=self._context)

    # The protocol.

    def start(self, protocol: Any) -> None:
        """Give the transport to its protocol, and begin to read."""
        self._protocol = protocol
        self._reading = True
        protocol.connection_made(self)
        self._incoming.schedule()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Have another protocol."""
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol."""
        return self._protocol  # type: ignore[no-any-return]

    # Reading.

    def is_reading(self) -> bool:
        """Tell whether the protocol gets what comes."""
        return self._reading and not self._closing

    def pause_reading(self) -> None:
        """Leave what comes on the wire."""
        self._reading = False

    def resume_reading(self) -> None:
        """Deliver what comes, and what is there."""
        self._reading = True
        self._incoming.schedule()

    def deliver(self, take: Callable[[int], bytes]) -> None:
        """
        Hand bytes to the protocol; called by the wire.

        Args:
            take: returns that many bytes from the wire, or as many as there are.

        """
        protocol = self._protocol
        try:
            if isinstance(protocol, asyncio.BufferedProtocol):
                buffer = memoryview(protocol.get_buffer(-1)).cast("B")
                if not buffer:
                    raise RuntimeError("get_buffer() returned an empty buffer")
                data = take(len(buffer))
                buffer[: len(data)] = data
                protocol.buffer_updated(len(data))
            else:
                protocol.data_received(take(_MAX_READ))
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._fail(exc, "a protocol failed to take what was read")

    def deliver_eof(self) -> None:
        """Tell the protocol that the peer says no more; called by the wire."""
        try:
            keeps_open = self._protocol.eof_received()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as exc:
            self._fail(exc, "a protocol failed to take the end of the stream")
            return
        if not keeps_open or self.wire.secure:
            self.close()

    # Writing.

    def write(self, data: BytesLike) -> None:
        """Send bytes to the other end, as soon as the wire takes them."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"data must be bytes-like, not {type(data).__name__}")
        if self._ended:
            raise RuntimeError("cannot write after write_eof()")
        if self._closing or not data:
            return
        self._buffer.append(bytes(data))
        self._buffered += len(self._buffer[-1])
        self._push()
        self._maybe_pause_protocol()

    def writelines(self, list_of_data: Iterable[BytesLike]) -> None:
        """Send bytes to the other end."""
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        """Tell whether one direction can be ended alone; not so with TLS."""
        return not self.wire.secure

    def write_eof(self) -> None:
        """End this direction, after what was written."""
        if not self.can_write_eof():
            raise NotImplementedError("TLS can't end one direction alone")
        if not (self._ended or self._closing):
            self._ended = True
            self._push()

    def push_soon(self) -> None:
        """Have the buffer go on to the wire: it has room; called by the wire."""
        if self._buffer and not self._pushing:
            self._pushing = True
            self.later(self._push)

    def _push(self) -> None:
        """Move what is buffered to the wire, as far as there is room."""
        self._pushing = False
        if self._losing:
            return
        while self._buffer and (room := self._outgoing.room()):
            data = self._buffer.popleft()
            if len(data) > room:
                self._buffer.appendleft(data[room:])
                data = data[:room]
            self._buffered -= len(data)
            self._outgoing.put(data)
        if not self._buffer:
            if self._closing:
                self._lose(None)
            elif self._ended:
                self._outgoing.end()
        if self._protocol_paused and self._buffered <= self._low:
            self._protocol_paused = False
            self._protocol.resume_writing()

    def _maybe_pause_protocol(self) -> None:
        if self._buffered > self._high and not self._protocol_paused:
            self._protocol_paused = True
            self._protocol.pause_writing()

    def get_write_buffer_size(self) -> int:
        """Return how many bytes the wire hasn't taken yet."""
        return self._buffered

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return where writing is resumed, and where it is paused, in bytes."""
        return self._low, self._high

    def set_write_buffer_limits(
        self, high: int | None = None, low: int | None = None
    ) -> None:
        """Say where writing is paused, and where it is resumed, in bytes."""
        if high is None:
            high = _HIGH if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high}) must be >= low ({low}) must be >= 0")
        self._high, self._low = high, low
        self._maybe_pause_protocol()

    # The end.

    def is_closing(self) -> bool:
        """Tell whether the transport is closed, or about to be."""
        return self._closing

    def close(self) -> None:
        """End both directions, after what was written."""
        if not self._closing:
            self._closing = True
            self._push()

    def abort(self) -> None:
        """End both directions at once; what the wire hasn't taken is lost."""
        self.lose(None)

    def lose(self, exc: BaseException | None) -> None:
        """Lose the connection at once; called by the wire as well."""
        self._buffer.clear()
        self._buffered = 0
        self._closing = True
        self._lose(exc)

    def _lose(self, exc: BaseException | None) -> None:
        """Tell the protocol soon that the connection is lost, once."""
        if not self._losing:
            self._losing = True
            self.later(self._tell_lost, exc)

    def _tell_lost(self, exc: BaseException | None) -> None:
        protocol, self._protocol = self._protocol, None
        self.gone = True
        try:
            # There is none if the wire broke before it was accepted.
            if protocol is not None:
                protocol.connection_lost(exc)
        finally:
            self._incoming.abandon()
            self._outgoing.end()

    def _fail(self, exc: BaseException, message: str) -> None:
        """Report what a protocol raised, and end the connection."""
        self.wire.loop.call_exception_handler(
            {
                "message": message,
                "exception": exc,
                "transport": self,
                "protocol": self._protocol,
            }
        )
        self.lose(exc)
