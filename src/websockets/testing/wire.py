"""Floor 5, faces: a wire between a client and a server, and what may happen to it.

A :class:`Wire` has two :class:`Direction` objects, each of which carries bytes from
one transport to the other, in order, as TCP does: so many bytes are on their way or
wait to be read, and no more; the rest waits at the sender. Faults change when bytes
arrive, how many at once, and whether they do, never their order.
"""

from __future__ import annotations

import asyncio
import collections
import contextvars
import enum
import errno
import math
import os
import random
from typing import Any

from ..frames import Frame
from ..typing import BytesLike
from .transcript import SentFrame, Transcript
from .transports import MemoryTransport

__all__ = ["Direction", "Wire"]

#: Seconds that make no difference: sums of floats are a bit off.
_INSTANT = 1e-6

#: Bytes that are on their way, or wait to be read by the other end.
WINDOW = 2**16


class End(enum.Enum):
    """What ends a direction: the stream was ended, or the connection reset."""

    EOF = enum.auto()
    RESET = enum.auto()


def reset_error() -> ConnectionResetError:
    """Return what a connection is lost with when it's reset."""
    return ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))


class Direction:
    """
    One direction of a wire: ``wire.to_server`` or ``wire.to_client``.

    Args:
        wire: the wire.
        sender: who writes: "client" or "server".
        seed: for what is chosen at random.

    Attributes:
        source: the transport that writes; ``sink`` is the one that reads.
        stalled: whether nothing gets through; see :meth:`stall`.

    """

    source: MemoryTransport
    sink: MemoryTransport

    def __init__(self, wire: Wire, sender: str, seed: str) -> None:
        self.wire = wire
        self.stalled = False
        self._sender = sender
        self._random = random.Random(f"{seed}, {sender}")
        # Pieces on their way, with the time when they arrive.
        self._flight: collections.deque[tuple[float, bytes | End]] = collections.deque()
        self._size = 0
        self._arrival = 0.0
        self._window = WINDOW
        self._split: tuple[int, int] | None = None
        self._delay: tuple[float, float] = (0.0, 0.0)
        self._rate: float | None = None
        self._left: int | None = None
        self._ended = False
        self._refused = False
        self._pending = False

    # Faults.

    def split(self, size: int | tuple[int, int] | None = 1) -> None:
        """
        Have bytes arrive in small pieces, each in an iteration of the event loop.

        Args:
            size: bytes in a piece; a pair for anything from the first to the second,
                at random; None for no more splitting.

        """
        sizes = (size, size) if isinstance(size, int) else size
        if sizes is not None and not 1 <= sizes[0] <= sizes[1]:
            raise ValueError(f"size must be 1 or more, not {size}")
        self._split = sizes

    def delay(self, seconds: float | tuple[float, float]) -> None:
        """
        Have what is written from now on arrive later.

        Args:
            seconds: how much later; a pair for anything from the first to the
                second, at random. Bytes never overtake others.

        """
        times = seconds if isinstance(seconds, tuple) else (seconds, seconds)
        if not 0 <= times[0] <= times[1]:
            raise ValueError(f"seconds must be 0 or more, not {seconds}")
        self._delay = times

    def stall(self) -> None:
        """Have nothing get through, until :meth:`resume`; nothing is lost."""
        self.stalled = True

    def resume(self) -> None:
        """Have everything get through again."""
        self.stalled = False
        self.schedule()

    def limit_window(self, size: int = WINDOW) -> None:
        """
        Limit what is on its way; what is more waits at the sender.

        Args:
            size: bytes on their way, or waiting to be read by the other end.

        """
        if size < 1:
            raise ValueError(f"size must be 1 or more, not {size}")
        self._window = size
        self.source.push_soon()

    def limit_rate(self, rate: float | None) -> None:
        """
        Have what is written from now on arrive slowly.

        Args:
            rate: bytes in a second; None for no limit.

        """
        if rate is not None and rate <= 0:
            raise ValueError(f"rate must be more than 0, not {rate}")
        self._rate = rate

    def half_close(self) -> None:
        """End this direction after what was written; what follows is lost."""
        self.end()

    def reset_after(self, size: int) -> None:
        """
        Reset the connection when so many more bytes have arrived.

        Args:
            size: bytes that still get through.

        """
        if size < 0:
            raise ValueError(f"size must be 0 or more, not {size}")
        self._left = size
        if size == 0:
            self.wire.reset()

    def inject(self, data: BytesLike | Frame) -> None:
        """
        Have bytes arrive that the sender didn't write, after what it did.

        Args:
            data: anything, be it against all rules; or a frame, which is masked if
                it goes to the server.

        Raises:
            RuntimeError: if this direction has ended.

        """
        if self._ended:
            raise RuntimeError(f"{self.wire!r} is closed in this direction")
        if isinstance(data, Frame):
            data = data.serialize(mask=self._sender == "client")
        self._enter(bytes(data))

    # What transports do.

    def room(self) -> int:
        """Return how many bytes may be written."""
        return self._window if self._ended else max(self._window - self._size, 0)

    def put(self, data: bytes) -> None:
        """Take bytes from the sender."""
        if self._refused:
            self.source.lose(reset_error())
        elif not self._ended:
            self._enter(data)

    def end(self) -> None:
        """End this direction after what was written, unless it has ended."""
        if not self._ended:
            self._ended = True
            self._add(End.EOF)

    def break_off(self) -> None:
        """Lose what is on its way, and whatever is still written."""
        self._ended = True
        self._flight.clear()
        self._size = 0

    def abandon(self) -> None:
        """Take note that nobody reads this direction any more."""
        if self._size:
            # RFC 9293, 3.6: closing with data unread resets the connection.
            self._refuse()

    def _refuse(self) -> None:
        """Reset the sender's end, after what it has yet to read."""
        self.break_off()
        self._refused = True
        back = self.wire.other(self)
        if not back._ended:
            back._ended = True
            back._add(End.RESET)

    def _enter(self, data: bytes) -> None:
        """Send bytes on their way."""
        self.wire.note(self._sender, data)
        if self.sink.gone:
            self._refuse()
            return
        self._size += len(data)
        # A limited rate shows in pieces that arrive one by one.
        step = len(data) if self._rate is None else math.ceil(self._rate / 100)
        for start in range(0, len(data), step):
            self._add(data[start : start + step])

    def _add(self, data: bytes | End) -> None:
        when = self.wire.loop.time() + self._random.uniform(*self._delay)
        self._arrival = max(self._arrival, when)
        if self._rate is not None and isinstance(data, bytes):
            self._arrival += len(data) / self._rate
        self._flight.append((self._arrival, data))
        self.schedule()

    # What arrives.

    def schedule(self) -> None:
        """Have what comes first arrive when it's time, if it can."""
        if not self._flight or not self._can_arrive() or self._pending:
            return
        self._pending = True
        when = self._flight[0][0]
        if when <= self.wire.loop.time() + _INSTANT:
            self.sink.later(self._arrive)
        else:
            self.sink.at(when, self._arrive)

    def _can_arrive(self) -> bool:
        return self.sink.is_reading() and not self.stalled

    def _arrive(self) -> None:
        """Deliver what has arrived."""
        self._pending = False
        if not self._flight or not self._can_arrive():
            return
        first = self._flight[0][1]
        if isinstance(first, bytes):
            self.sink.deliver(self._take)
            if self._left == 0:
                self.wire.reset()
            self.source.push_soon()
        else:
            self._flight.popleft()
            if first is End.EOF:
                self.sink.deliver_eof()
            else:
                self.sink.lose(reset_error())
        self.schedule()

    def _take(self, most: int) -> bytes:
        """Return what has arrived: so many bytes at most."""
        if self._split is not None:
            most = min(most, self._random.randint(*self._split))
        if self._left is not None:
            most = min(most, self._left)
        now = max(self.wire.loop.time(), self._flight[0][0]) + _INSTANT
        taken = bytearray()
        while self._flight and len(taken) < most:
            when, data = self._flight[0]
            if when > now or isinstance(data, End):
                break
            self._flight.popleft()
            piece = data[: most - len(taken)]
            taken += piece
            if len(piece) < len(data):
                self._flight.appendleft((when, data[len(piece) :]))
        self._size -= len(taken)
        if self._left is not None:
            self._left -= len(taken)
        return bytes(taken)


class Wire:
    """
    What connects a client and a server in memory.

    Faults may be called at any time, for both directions here, and for one as
    ``wire.to_server`` or ``wire.to_client``: see :class:`Direction`.

    Args:
        number: of the wire in its network, from 1 on.
        seed: for what is chosen at random.
        secure: whether it stands for TLS: nothing is encrypted, but transports say
            and do what TLS transports do.

    Attributes:
        number: of the wire in its network.
        secure: whether it stands for TLS.
        to_server: what the client writes and the server reads.
        to_client: what the server writes and the client reads.
        client: the client's transport.
        server: the server's transport.

    """

    def __init__(self, *, number: int = 1, seed: int = 0, secure: bool = False) -> None:
        self.number = number
        self.secure = secure
        self.loop = asyncio.get_running_loop()
        self._made_at = self.loop.time()
        self._transcript = Transcript()
        self.to_server = Direction(self, "client", f"{seed}, {number}")
        self.to_client = Direction(self, "server", f"{seed}, {number}")

    def make_ends(
        self,
        client: dict[str, Any],
        server: dict[str, Any],
        context: contextvars.Context,
    ) -> None:
        """
        Make the transports.

        Args:
            client: what the client's ``get_extra_info()`` returns, by name.
            server: the same for the server.
            context: what the server's callbacks run in.

        """
        there, back = self.to_server, self.to_client
        self.client = MemoryTransport(self, "client", there, back, client)
        self.server = MemoryTransport(self, "server", back, there, server, context)
        there.source = back.sink = self.client
        there.sink = back.source = self.server

    def __repr__(self) -> str:
        """Show its number."""
        return f"<Wire {self.number}>"

    @property
    def closed(self) -> bool:
        """Whether both ends have lost the connection."""
        return self.client.gone and self.server.gone

    # Faults, in both directions.

    def split(self, size: int | tuple[int, int] | None = 1) -> None:
        """See :meth:`Direction.split`."""
        self.to_server.split(size)
        self.to_client.split(size)

    def delay(self, seconds: float | tuple[float, float]) -> None:
        """See :meth:`Direction.delay`; a round trip takes twice as long."""
        self.to_server.delay(seconds)
        self.to_client.delay(seconds)

    def stall(self) -> None:
        """See :meth:`Direction.stall`."""
        self.to_server.stall()
        self.to_client.stall()

    def resume(self) -> None:
        """See :meth:`Direction.resume`."""
        self.to_server.resume()
        self.to_client.resume()

    def limit_rate(self, rate: float | None) -> None:
        """See :meth:`Direction.limit_rate`."""
        self.to_server.limit_rate(rate)
        self.to_client.limit_rate(rate)

    def limit_window(self, size: int = WINDOW) -> None:
        """See :meth:`Direction.limit_window`."""
        self.to_server.limit_window(size)
        self.to_client.limit_window(size)

    def reset(self) -> None:
        """Break the connection: both ends lose it at once, and what is on its way."""
        for direction in self.to_server, self.to_client:
            direction.break_off()
        for end in self.client, self.server:
            end.lose(reset_error())

    def other(self, direction: Direction) -> Direction:
        """Return the opposite direction."""
        return self.to_client if direction is self.to_server else self.to_server

    # What was said.

    def note(self, sender: str, data: bytes) -> None:
        """Note what was sent; called by its directions."""
        self._transcript.add(sender, self.loop.time() - self._made_at, data)

    def frames(self) -> list[SentFrame]:
        """
        Return the frames that were sent so far, in the order in which they were.

        Compressed messages are shown with their content. What a side sent after
        something that isn't a frame is left out.
        """
        return self._transcript.frames()

    def transcript(self) -> str:
        """Return what was said so far, for people: a line for each frame."""
        return self._transcript.show()
