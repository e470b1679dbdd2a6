"""What wires do to the bytes that go over them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from faces.support import turns, until
from test_testing_transports import Recorder, connected
from websockets.frames import Frame, Opcode
from websockets.testing import VirtualClock, pair, wire_of


class Pieces(Recorder):
    """Keeps what it gets in pieces, with the time."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.times: list[float] = []

    def data_received(self, data: bytes) -> None:
        self.pieces.append(data)
        self.times.append(asyncio.get_running_loop().time())


async def connected_in_pieces(**options: Any) -> tuple[Any, Pieces]:
    wire, _, _ = await connected(**options)
    pieces = Pieces()
    wire.server.set_protocol(pieces)
    return wire, pieces


class TestSplit:
    async def test_pieces_of_one_size(self) -> None:
        wire, server = await connected_in_pieces()
        wire.split(3)
        wire.client.write(b"abcdefgh")
        wire.client.write(b"ij")
        await until(lambda: len(server.pieces) == 4)
        assert server.pieces == [b"abc", b"def", b"ghi", b"j"]

    async def test_pieces_of_any_size(self) -> None:
        seen = []
        for seed in 1, 1, 2:
            wire, server = await connected_in_pieces(seed=seed)
            wire.split((1, 5))
            wire.client.write(bytes(100))
            while sum(map(len, server.pieces)) < 100:
                await asyncio.sleep(0)
            assert {1, 5} <= set(map(len, server.pieces[:-1])) <= {1, 2, 3, 4, 5}
            seen.append(server.pieces)
        assert seen[0] == seen[1] != seen[2]

    async def test_no_more_of_it(self) -> None:
        wire, server = await connected_in_pieces()
        wire.split()
        wire.split(None)
        wire.client.write(b"abc")
        await until(lambda: server.pieces)
        assert server.pieces == [b"abc"]

    async def test_pieces_have_an_iteration_each(self) -> None:
        wire, server = await connected_in_pieces()
        wire.split(1)
        wire.client.write(b"abc")
        for number in range(4):
            assert len(server.pieces) == number
            await asyncio.sleep(0)

    @pytest.mark.parametrize("size", [0, -1, (0, 1), (2, 1)])
    async def test_wrong_sizes(self, size: Any) -> None:
        wire, _ = await connected_in_pieces()
        with pytest.raises(ValueError, match="size must be 1 or more"):
            wire.split(size)


class TestDelay:
    async def test_later(self, clock: VirtualClock) -> None:
        wire, server = await connected_in_pieces()
        wire.delay(2)
        wire.client.write(b"a")
        await clock.advance(1)
        wire.delay(0)
        wire.client.write(b"b")
        await clock.advance(0.9)
        assert not server.pieces
        await clock.advance(0.1)
        # What comes later doesn't overtake.
        assert server.pieces == [b"ab"]

    async def test_nothing_is_early(self, clock: VirtualClock) -> None:
        wire, server = await connected_in_pieces()
        wire.delay(1)
        wire.client.write(b"a")
        await clock.advance(0.5)
        wire.client.write(b"b")
        await clock.advance(10)
        assert server.pieces == [b"a", b"b"]
        assert server.times[1] - server.times[0] == pytest.approx(0.5)

    async def test_jitter(self, clock: VirtualClock) -> None:
        wire, server = await connected_in_pieces()
        wire.delay((1, 2))
        taken = set()
        for _ in range(10):
            began_at = clock.time()
            wire.client.write(b"a")
            await clock.advance(2)
            taken.add(server.times[-1] - began_at)
        assert len(taken) == 10
        assert all(1 <= seconds <= 2 for seconds in taken)

    async def test_the_end_comes_later_too(self, clock: VirtualClock) -> None:
        wire, client, server = await connected()
        wire.delay(2)
        wire.client.close()
        await clock.advance(1.9)
        assert server.told == ["made"]
        await clock.advance(0.1)
        assert server.told == ["made", "eof", "lost"]

    async def test_while_the_reader_pauses(self, clock: VirtualClock) -> None:
        wire, client, server = await connected()
        wire.delay(1)
        wire.client.write(b"a")
        wire.server.pause_reading()
        await clock.advance(2)
        assert server.told == ["made"]
        wire.server.resume_reading()
        await clock.settle()
        assert server.told == ["made", b"a"]

    @pytest.mark.parametrize("seconds", [-1, (-1, 1), (2, 1)])
    async def test_wrong_delays(self, seconds: Any) -> None:
        wire, _ = await connected_in_pieces()
        with pytest.raises(ValueError, match="seconds must be 0 or more"):
            wire.delay(seconds)


class TestRate:
    async def test_bytes_take_time(self, clock: VirtualClock) -> None:
        wire, server = await connected_in_pieces()
        wire.limit_rate(1000)
        wire.client.write(bytes(5000))
        # Ten bytes at a time; and seconds aren't exact.
        await clock.advance(1.005)
        assert sum(map(len, server.pieces)) == 1000
        await clock.advance(4)
        assert sum(map(len, server.pieces)) == 5000
        wire.limit_rate(None)
        wire.client.write(bytes(5000))
        await clock.settle()
        assert sum(map(len, server.pieces)) == 10000

    async def test_a_byte_now_and_then(self, clock: VirtualClock) -> None:
        wire, server = await connected_in_pieces()
        wire.limit_rate(0.5)
        wire.client.write(b"ab")
        await clock.advance(3.9)
        assert server.pieces == [b"a"]
        await clock.advance(0.1)
        assert server.pieces == [b"a", b"b"]

    @pytest.mark.parametrize("rate", [0, -1])
    async def test_wrong_rates(self, rate: float) -> None:
        wire, _ = await connected_in_pieces()
        with pytest.raises(ValueError, match="rate must be more than 0"):
            wire.limit_rate(rate)


class TestWindow:
    async def test_the_rest_waits_at_the_sender(self) -> None:
        wire, client, server = await connected()
        wire.limit_window(10)
        wire.server.pause_reading()
        wire.client.write(b"0123456789abcdef")
        assert wire.client.get_write_buffer_size() == 6
        wire.limit_window(12)
        await turns(1)
        assert wire.client.get_write_buffer_size() == 4
        wire.limit_window(5)
        await turns(1)
        assert wire.client.get_write_buffer_size() == 4
        wire.server.resume_reading()
        await until(lambda: server.told[-1] == b"0123456789abcdef")
        assert wire.client.get_write_buffer_size() == 0

    async def test_wrong_window(self) -> None:
        wire, _ = await connected_in_pieces()
        with pytest.raises(ValueError, match="size must be 1 or more, not 0"):
            wire.limit_window(0)


class TestStall:
    async def test_nothing_is_lost(self) -> None:
        wire, client, server = await connected()
        wire.client.write(b"abc")
        wire.stall()
        assert wire.to_server.stalled
        wire.server.write(b"def")
        wire.client.write(b"ghi")
        wire.client.write_eof()
        await turns(5)
        assert client.told == server.told == ["made"]
        wire.resume()
        await until(lambda: client.lost and server.lost)
        assert client.told == ["made", b"def", "eof", "lost"]
        assert server.told == ["made", b"abcghi", "eof", "lost"]

    async def test_one_direction(self) -> None:
        wire, client, server = await connected()
        wire.to_client.stall()
        wire.client.write(b"abc")
        wire.server.write(b"def")
        await turns(5)
        assert server.told == ["made", b"abc"]
        assert client.told == ["made"]


class TestReset:
    async def test_both_ends_are_told(self) -> None:
        wire, client, server = await connected()
        wire.client.write(b"abc")
        assert not wire.closed
        wire.reset()
        wire.reset()
        await turns(1)
        assert client.told == server.told == ["made", ConnectionResetError]
        assert wire.closed

    async def test_after_some_bytes(self) -> None:
        wire, client, server = await connected()
        wire.to_server.reset_after(5)
        wire.client.write(b"abc")
        await until(lambda: server.told[-1] == b"abc")
        wire.client.write(b"defgh")
        await until(lambda: client.lost and server.lost)
        assert server.told == ["made", b"abcde", ConnectionResetError]

    async def test_at_once(self) -> None:
        wire, client, server = await connected()
        wire.to_server.reset_after(0)
        await turns(1)
        assert wire.closed

    async def test_wrong_size(self) -> None:
        wire, _ = await connected_in_pieces()
        with pytest.raises(ValueError, match="size must be 0 or more, not -1"):
            wire.to_server.reset_after(-1)

    async def test_writing_after_the_peer_has_gone(self) -> None:
        """Even one that doesn't read gets to know, as from a socket."""
        wire, client, server = await connected()
        wire.client.pause_reading()
        wire.client.write(b"abc")
        wire.server.close()
        await until(lambda: server.lost)
        wire.client.write(b"def")
        await until(lambda: client.lost)
        assert client.told == ["made", ConnectionResetError]


class TestHalfClose:
    async def test_one_direction_ends(self) -> None:
        wire, client, server = await connected()
        server.keeps_open = True
        wire.client.write(b"abc")
        wire.to_server.half_close()
        wire.to_server.half_close()
        wire.client.write(b"lost")
        wire.server.write(b"def")
        await until(lambda: client.told[-1] == b"def")
        await until(lambda: server.told[-1] == "eof")
        assert server.told == ["made", b"abc", "eof"]


class TestInject:
    async def test_bytes(self) -> None:
        wire, client, server = await connected()
        wire.client.write(b"abc")
        wire.to_server.inject(b"def")
        await until(lambda: server.told[-1] == b"abcdef")

    async def test_frames(self) -> None:
        async with pair() as (client, server):
            wire = wire_of(client)
            wire.to_server.inject(Frame(Opcode.TEXT, b"to the server"))
            wire.to_client.inject(Frame(Opcode.TEXT, b"to the client"))
            assert await server.recv() == "to the server"
            assert await client.recv() == "to the client"

    async def test_after_the_end(self) -> None:
        wire, client, server = await connected(number=3)
        wire.client.close()
        await turns(1)
        with pytest.raises(RuntimeError, match="<Wire 3> is closed in this direction"):
            wire.to_server.inject(b"abc")


async def test_a_fault_from_within() -> None:
    """What is on its way doesn't arrive at a protocol that has pulled the plug."""
    wire, server = await connected_in_pieces()

    class Breaker(Pieces):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            wire.stall()

    breaker = Breaker()
    wire.server.set_protocol(breaker)
    wire.split(1)
    wire.client.write(b"abc")
    await turns(10)
    assert breaker.pieces == [b"a"]
    wire.resume()
    wire.stall()
    await turns(10)
    assert breaker.pieces == [b"a"]
