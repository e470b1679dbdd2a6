"""What a peer can do to us on an open connection: it costs little, and it ends well.

Everything here is without sockets and without time: bytes are handed in as the event
loop does, and the clock is told what time it is. ``compliance/abuse`` does the same to
real servers, and measures.
"""

from __future__ import annotations

import asyncio
import struct
import sys
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from faces.support import (
    FakeServer,
    FakeTransport,
    close_frame,
    deliver,
    frame,
    masked,
    pass_time,
    turns,
)
from websockets.asyncio.loops import loop_state
from websockets.classic.client import WebSocketClientProtocol
from websockets.classic.protocol import broadcast
from websockets.classic.server import WebSocketServerProtocol
from websockets.exceptions import ConnectionClosedError
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Close
from websockets.protocol import State

pytestmark = pytest.mark.usefixtures("clean_loop")

KIB, MIB = 2**10, 2**20
PING, PONG, CLOSE = 9, 10, 8


class Transport(FakeTransport):
    """Does nothing; what is written stays there if it's stuck."""

    stuck = False

    def write(self, data: Any) -> None:
        super().write(data)
        if self.stuck:
            self.buffered += len(data)


class End:
    """One end of a connection, on a transport that does nothing.

    Args:
        server: whether it is the server's.
        deflate: whether messages may be compressed, with context takeover.
        options: arguments of the connection.

    """

    def __init__(self, *, server: bool, deflate: bool = True, **options: Any) -> None:
        self.server = server
        # Tests deliver much in one iteration; who else would read in it?
        loop_state(asyncio.get_running_loop())._reads_once = True
        if server:
            self.connection: Any = WebSocketServerProtocol(
                _ignore, FakeServer(), **options
            )
        else:
            self.connection = WebSocketClientProtocol(**options)
        self.transport = Transport(self.connection)
        self.connection.connection_made(self.transport)
        self.connection.connection_open()
        if deflate:
            self.connection.extensions = [PerMessageDeflate(False, False, 15, 15)]
        self.loop = asyncio.get_running_loop()

    def frame(self, opcode: int, data: bytes = b"", **kwargs: Any) -> bytes:
        """Return a frame as the peer sends it."""
        return frame(opcode, data, mask=self.server, **kwargs)

    def deflated(self, opcode: int, data: bytes, *, fin: bool = True) -> bytes:
        """Return a frame of deflated data as the peer sends it."""
        built = bytearray(self.frame(opcode, data, fin=fin))
        if opcode:
            built[0] |= 0x40
        return bytes(built)

    def deliver(self, data: bytes, size: int = 64 * KIB) -> None:
        """Hand in bytes in pieces, as far as they are wanted."""
        for start in range(0, len(data), size):
            if not self.transport.reading or self.transport.is_closing():
                return
            deliver(self.connection, data[start : start + size])

    def frames(self) -> list[tuple[int, bytes]]:
        """Return the frames that were written."""
        data, found = b"".join(self.transport.written), []
        while data:
            first, second = data[:2]
            size, at = second & 0x7F, 2
            if size > 125:
                at = 4 if size == 126 else 10
                size = int.from_bytes(data[2:at], "big")
            key = data[at : at + 4] if second & 0x80 else bytes(4)
            at += 4 if second & 0x80 else 0
            payload = data[at : at + size]
            found.append(
                (first & 0x0F, bytes(b ^ key[i & 3] for i, b in enumerate(payload)))
            )
            data = data[at + size :]
        return found

    def close_code(self) -> int | None:
        """Return the code of the close frame that was written."""
        found = [data for opcode, data in self.frames() if opcode == CLOSE]
        assert len(found) <= 1
        return int(Close.parse(found[0]).code) if found else None

    async def finish(self) -> None:
        """Let the peer go on, and see that the connection ends in bounded time."""
        connection = self.connection
        if connection.state is State.OPEN:
            return
        for _ in range(3):
            # A failed connection reads nothing more.
            self.transport.reading = True
            deliver(connection, self.frame(2, bytes(1000)))
        assert not connection._inbox.partial
        pass_time(connection, 10.1)
        await turns(3)
        assert self.transport.is_closing()
        assert connection.state is State.CLOSED
        with pytest.raises(ConnectionClosedError):
            while True:
                await connection.recv()


async def _ignore(connection: Any) -> None:
    """Do nothing."""


@pytest.fixture(params=[True, False], ids=["server", "client"])
async def make(request: pytest.FixtureRequest) -> AsyncIterator[Callable[..., End]]:
    """Give a function that makes an end of a connection."""
    ends: list[End] = []

    def make_end(**options: Any) -> End:
        ends.append(End(server=request.param, **options))
        return ends[-1]

    yield make_end
    for end in ends:
        if end.connection.state is not State.CLOSED:
            end.connection.connection_lost(None)
    await turns(3)


Make = Callable[..., End]


class Memory:
    """Measures how many bytes were in use at most."""

    def __enter__(self) -> Memory:
        tracemalloc.start()
        tracemalloc.reset_peak()
        self._before = tracemalloc.get_traced_memory()[0]
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.peak = tracemalloc.get_traced_memory()[1] - self._before
        tracemalloc.stop()


def bomb(size: int, *, last: bool = True) -> bytes:
    """Return so many zeros, deflated."""
    encoder = zlib.compressobj(9, wbits=-15)
    data = encoder.compress(bytes(size)) + encoder.flush(zlib.Z_SYNC_FLUSH)
    return data[:-4] if last else data


# Decompression bombs.


@pytest.mark.parametrize("max_size", [MIB, 4 * MIB, (4 * MIB, MIB)])
async def test_a_bomb_in_one_message(make: Make, max_size: Any) -> None:
    end = make(max_size=max_size)
    data = end.deflated(2, bomb(64 * MIB))
    assert len(data) < 70 * KIB
    with Memory() as memory:
        end.deliver(data)
    # The part that is allowed, twice: zlib makes it larger as it goes.
    limit = max_size if isinstance(max_size, int) else max_size[1]
    assert memory.peak < 3 * limit
    assert end.close_code() == 1009
    await end.finish()


async def test_a_bomb_in_fragments(make: Make) -> None:
    end = make(max_size=MIB)
    part = bomb(300 * KIB, last=False)
    data = end.deflated(2, part, fin=False) + end.deflated(0, part, fin=False) * 100
    with Memory() as memory:
        end.deliver(data)
    assert memory.peak < 4 * MIB
    assert end.close_code() == 1009
    await end.finish()


async def test_bombs_in_many_messages(make: Make) -> None:
    """Each is as large as is allowed; nobody receives them."""
    end = make(max_size=MIB)
    data = end.deflated(2, bomb(MIB))
    with Memory() as memory:
        end.deliver(data * 100)
        await turns(10)
    assert memory.peak < 5 * MIB
    assert not end.transport.reading
    assert len(end.connection.messages) <= 2
    # Whoever receives gets them all, and as much waits as before.
    with Memory() as memory:
        for _ in range(10):
            assert len(await end.connection.recv()) == MIB
    assert memory.peak < 5 * MIB


async def test_bombs_without_a_limit_for_messages(make: Make) -> None:
    """What the user allows is read; more than that doesn't pile up."""
    end = make(max_size=None)
    data = end.deflated(2, bomb(3 * MIB)) * 10
    with Memory() as memory:
        end.deliver(data)
        await turns(10)
    assert memory.peak < 10 * MIB
    assert len(await end.connection.recv()) == 3 * MIB


async def test_bombs_that_refer_to_what_was_before(make: Make) -> None:
    """With context takeover a few bytes stand for a whole message."""
    end = make(max_size=64 * KIB)
    encoder = zlib.compressobj(9, wbits=-15)
    frames = []
    for _ in range(500):
        data = encoder.compress(bytes(60 * KIB)) + encoder.flush(zlib.Z_SYNC_FLUSH)
        frames.append(end.deflated(2, data[:-4]))
    with Memory() as memory:
        end.deliver(b"".join(frames))
        await turns(10)
    assert memory.peak < 5 * MIB
    for _ in range(100):
        assert len(await end.connection.recv()) == 60 * KIB


@pytest.mark.parametrize("payload", [b"\0", b"\3\0" * 250 + b"\0"])
async def test_inflaters_for_nothing(make: Make, payload: bytes) -> None:
    """No turn of the event loop takes more than some inflaters."""
    end = make()
    inflaters = 0

    class Counted(PerMessageDeflate):
        def _make_decoder(self) -> Any:
            nonlocal inflaters
            inflaters += 1
            return super()._make_decoder()

    [deflate] = end.connection.extensions
    deflate.__class__ = Counted
    data = end.deflated(2, payload)
    end.deliver(data * (60 * KIB // len(data)))
    for _ in range(5):
        assert inflaters <= 256
        inflaters = 0
        await turns(1)


# Frames.


@pytest.mark.parametrize("max_size, code", [(MIB, 1009), (None, 1002)])
@pytest.mark.parametrize("size", [2**63, 2**64 - 1])
async def test_lengths_beyond_all_bounds(
    make: Make, max_size: int | None, code: int, size: int
) -> None:
    end = make(max_size=max_size, deflate=False)
    second = 0xFF if end.server else 0x7F
    with Memory() as memory:
        end.deliver(bytes([0x82, second]) + struct.pack("!Q", size) + bytes(10))
    assert memory.peak < 64 * KIB
    assert end.close_code() == code
    await end.finish()


async def test_a_length_that_never_comes(make: Make) -> None:
    """What is kept depends on what has come, not on what was announced."""
    end = make(max_size=None, deflate=False)
    second = 0xFF if end.server else 0x7F
    head = bytes([0x82, second]) + struct.pack("!Q", 2**63 - 1) + bytes(4)
    with Memory() as memory:
        end.deliver(head + bytes(1000))
    assert memory.peak < 300 * KIB
    # Nothing more comes: the peer isn't there any more.
    pass_time(end.connection, 20.1)
    pass_time(end.connection, 40.2)
    assert end.close_code() == 1011
    await end.finish()


@pytest.mark.parametrize("part", [b"", b"x", b"x" * 60])
async def test_a_million_small_fragments(make: Make, part: bytes) -> None:
    end = make(max_size=None, deflate=False)
    receiving = asyncio.create_task(end.connection.recv())
    await turns(2)
    deliver(end.connection, end.frame(2, part, fin=False))
    data = end.frame(0, part, fin=False) * 500
    deliveries = 0
    while not end.connection.protocol.discarding:
        assert end.connection._inbox.partial.size < 8 * MIB
        end.deliver(data)
        deliveries += 1
    assert end.close_code() == 1009
    # It takes 4096, and one more for each 64 bytes that came.
    assert deliveries == (132 if len(part) > 1 else 9)
    end.connection.connection_lost(None)
    with pytest.raises(ConnectionClosedError):
        await receiving


async def test_many_large_fragments_are_fine(make: Make) -> None:
    end = make(max_size=None, deflate=False)
    receiving = asyncio.create_task(end.connection.recv())
    await turns(2)
    deliver(end.connection, end.frame(2, bytes(64), fin=False))
    data = end.frame(0, bytes(64), fin=False) * 99
    for _ in range(100):
        end.deliver(data)
    end.deliver(end.frame(0, bytes(64)))
    assert len(await receiving) == 64 * (2 + 100 * 99)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_frames_in_small_pieces(make: Make, size: int) -> None:
    end = make(deflate=False)
    data = end.frame(1, b"a" * 200) + end.frame(PING, b"ping") + end.frame(2, b"b")
    kept = 0
    for start in range(0, len(data), size):
        deliver(end.connection, data[start : start + size])
        kept = max(kept, end.connection.protocol.reader.unread)
    assert kept <= 200
    assert await end.connection.recv() == "a" * 200
    assert await end.connection.recv() == b"b"
    await turns(2)
    assert end.frames() == [(PONG, b"ping")]


async def test_the_wrong_masking(make: Make) -> None:
    end = make()
    end.deliver(frame(1, "a", mask=not end.server) * 1000)
    assert end.close_code() == 1002
    await end.finish()


# Floods.


async def test_a_flood_of_pings(make: Make) -> None:
    """A peer that reads gets its pongs; one after the other is written."""
    end = make()
    end.deliver(end.frame(PING, b"x" * 20) * 2000)
    assert not end.connection.protocol.writes
    await turns(5)
    assert end.frames() == [(PONG, b"x" * 20)] * 2000


async def test_a_flood_of_pings_and_nobody_reads_the_pongs(make: Make) -> None:
    end = make()
    stuff(end)
    for number in range(20):
        end.deliver(end.frame(PING, b"%d" % number) * 500)
    assert not end.transport.written
    assert not end.connection.protocol.writes
    assert end.connection.protocol._held_pong == b"19"
    # Nothing leaves: the peer is cut.
    pass_time(end.connection, 20.1)
    assert "abort" in end.transport.calls
    await turns(3)
    with pytest.raises(ConnectionClosedError) as caught:
        await end.connection.recv()
    assert "has read none of" in str(caught.value.__cause__)


async def test_a_flood_of_pongs(make: Make) -> None:
    end = make()
    for _ in range(10):
        end.deliver(end.frame(PONG, b"whatever") * 500)
    assert not end.transport.written
    assert not end.connection._session.pongs
    assert end.connection.state is State.OPEN


@pytest.mark.parametrize("data", [b"", "😀".encode(), b"x" * 1000])
async def test_a_flood_of_messages_that_nobody_receives(
    make: Make, data: bytes
) -> None:
    end = make(max_queue=None)
    for _ in range(3000):
        end.deliver(end.frame(1, data) * 50)
    assert not end.transport.reading
    messages = end.connection.messages
    assert sum(map(sys.getsizeof, messages)) + 64 * len(messages) < 1.1 * MIB


# The end.


async def test_data_after_the_close_frame(make: Make) -> None:
    end = make()
    data = end.frame(1, b"last") + close_frame(1000, mask=end.server)
    end.deliver(data + end.frame(1, b"late") + end.deflated(2, bomb(64 * MIB)) * 10)
    assert await end.connection.recv() == "last"
    assert end.close_code() == 1000
    assert not end.connection.messages
    # Whoever closed it: the stream ends in bounded time.
    pass_time(end.connection, 10.1)
    await turns(3)
    assert end.transport.is_closing()


async def test_a_close_that_never_completes(make: Make) -> None:
    """The peer answers with data, for ever."""
    end = make()
    closing = asyncio.create_task(end.connection.close())
    await turns(2)
    for _ in range(20):
        end.transport.reading = True
        end.deliver(end.frame(2, b"x" * 1000) * 200)
    assert end.connection._inbox.size() < 2 * MIB
    assert not closing.done()
    pass_time(end.connection, 10.1)
    await closing
    assert end.connection.close_code == 1006


async def test_inflating_after_our_close_frame(make: Make) -> None:
    end = make()
    closing = asyncio.create_task(end.connection.close())
    await turns(2)
    with Memory() as memory:
        end.deliver(end.deflated(2, bomb(900 * KIB)) * 50)
    assert memory.peak < 5 * MIB
    deliver(end.connection, close_frame(1000, mask=end.server))
    end.connection.connection_lost(None)
    await closing


# A peer that doesn't read.


def stuff(end: End) -> None:
    """Fill the transport's buffer."""
    end.transport.stuck = True
    end.transport.buffered = 100 * KIB
    end.connection.pause_writing()


async def test_nothing_is_read_during_send(make: Make) -> None:
    end = make()
    stuff(end)
    sending = [asyncio.create_task(end.connection.send(b"x")) for _ in range(5)]
    await turns(2)
    assert not any(task.done() for task in sending)
    pass_time(end.connection, 20.1)
    for task in sending:
        with pytest.raises(ConnectionClosedError):
            await task
    assert end.transport.calls[-1] == "abort"


async def test_nothing_is_read_during_broadcast(make: Make) -> None:
    end, other = make(), make()
    stuff(end)
    for _ in range(5):
        broadcast([end.connection, other.connection], b"x")
        await turns(1)
    assert len(other.frames()) == 5
    for connection in end.connection, other.connection:
        pass_time(connection, 20.1)
    await end.connection.wait_closed()
    assert other.connection.state is State.OPEN


async def test_nothing_is_read_during_close(make: Make) -> None:
    end = make()
    stuff(end)
    closing = asyncio.create_task(end.connection.close())
    await turns(2)
    assert not closing.done()
    pass_time(end.connection, 10.1)
    await closing
    assert end.transport.calls[-1] == "abort"


async def test_half_of_what_is_written_is_read(make: Make) -> None:
    """Progress counts, however slow: nobody is cut for being slow."""
    end = make(ping_interval=None)
    stuff(end)
    end.connection._handed_over = 100 * KIB
    sending = asyncio.create_task(end.connection.send(b"x"))
    await turns(1)
    for number in range(1, 5):
        end.transport.buffered //= 2
        pass_time(end.connection, number * 20.1)
    assert end.connection.state is State.OPEN
    end.connection.resume_writing()
    await sending


async def test_others_are_not_affected(make: Make) -> None:
    """What one connection does leaves the others of the event loop alone."""
    bad, good = make(), make()
    bad.deliver(frame(1, "a", mask=not bad.server))
    good.deliver(masked((1, b"a")) if good.server else frame(1, "a"))
    assert await good.connection.recv() == "a"
    await good.connection.send("b")
    assert bad.close_code() == 1002
    await bad.finish()
    assert good.connection.state is State.OPEN
