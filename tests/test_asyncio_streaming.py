"""Receiving a message part by part, as it comes (websockets.asyncio.streaming)."""

from __future__ import annotations

import asyncio
import gc
import math
from typing import Any

import pytest

from faces.support import FakeTransport, close_frame, deliver, frame, turns
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.streaming import MessageStream
from websockets.client import ClientProtocol
from websockets.exceptions import (
    ConcurrencyError,
    ConnectionClosedError,
    ConnectionClosedOK,
)
from websockets.protocol import State

pytestmark = pytest.mark.usefixtures("clean_loop")


@pytest.fixture
async def connection() -> ClientConnection:
    """An open client's connection on a fake transport."""
    protocol = ClientProtocol("ws://localhost/", state=State.OPEN)
    connection = ClientConnection(protocol, ping_interval=None, max_queue=2)
    connection.connection_made(FakeTransport(connection))
    return connection


def part(text: str | bytes, first: bool = False, last: bool = False) -> bytes:
    opcode = (1 if isinstance(text, str) else 2) if first else 0
    return frame(opcode, text, fin=last)


async def collect(stream: MessageStream[Any]) -> list[Any]:
    return [item async for item in stream]


class TestParts:
    async def test_a_message_in_one_frame(self, connection: ClientConnection) -> None:
        deliver(connection, frame(1, "a") + frame(2, b"b"))
        assert await collect(connection.recv_streaming()) == ["a"]
        assert await collect(connection.recv_streaming()) == [b"b"]

    async def test_a_message_that_is_here(self, connection: ClientConnection) -> None:
        deliver(connection, part("a", first=True) + part("b") + part("c", last=True))
        assert await collect(connection.recv_streaming()) == ["a", "b", "c"]

    async def test_parts_as_they_come(self, connection: ClientConnection) -> None:
        stream = connection.recv_streaming()
        deliver(connection, part(b"a", first=True) + part(b"b"))
        assert await anext(stream) == b"a"
        assert await anext(stream) == b"b"
        following = asyncio.create_task(anext(stream))
        await turns(3)
        assert not following.done()
        deliver(connection, part(b"c"))
        assert await following == b"c"
        deliver(connection, part(b"d", last=True) + frame(1, "next"))
        assert await anext(stream) == b"d"
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
        assert await connection.recv() == "next"

    @pytest.mark.parametrize("whole", [True, False])
    async def test_waiting_before_there_is_anything(
        self, connection: ClientConnection, whole: bool
    ) -> None:
        stream = connection.recv_streaming()
        first = asyncio.create_task(anext(stream))
        await turns(2)
        # What follows in the same chunk becomes messages again.
        others = part("x", first=True) + part("y", last=True) + part("z", first=True)
        if whole:
            deliver(connection, frame(1, "a") + others)
        else:
            deliver(connection, part("a", first=True))
            assert await first == "a"
            deliver(connection, part("b", last=True) + others)
            assert await anext(stream) == "b"
        assert await first == "a"
        assert await collect(stream) == []
        assert await connection.recv() == "xy"
        deliver(connection, part("!", last=True))
        assert await connection.recv() == "z!"

    async def test_text_is_cut_between_characters(
        self, connection: ClientConnection
    ) -> None:
        data = "é".encode()
        deliver(connection, frame(1, data[:1], fin=False) + frame(0, data[1:]))
        assert "".join(await collect(connection.recv_streaming())) == "é"

    @pytest.mark.parametrize(
        "decode, sent, received",
        [
            (None, ["a", "é"], ["a", "é"]),
            (True, ["a", "é"], ["a", "é"]),
            (False, ["a", "é"], [b"a", "é".encode()]),
            (None, [b"a", b"b"], [b"a", b"b"]),
            (False, [b"a", b"b"], [b"a", b"b"]),
            (True, [b"a\xc3", b"\xa9"], ["a", "é"]),
        ],
    )
    async def test_decode(
        self,
        connection: ClientConnection,
        decode: bool | None,
        sent: list[Any],
        received: list[Any],
    ) -> None:
        for _ in range(2):
            deliver(connection, part(sent[0], first=True) + part(sent[1], last=True))
        assert await collect(connection.recv_streaming(decode)) == received
        joined = received[0] + received[1]
        assert await connection.recv(decode) == joined

    async def test_not_to_be_decoded(self, connection: ClientConnection) -> None:
        deliver(connection, part(b"a", first=True) + part(b"\xff") + part(b"b"))
        stream = connection.recv_streaming(decode=True)
        assert await anext(stream) == "a"
        with pytest.raises(UnicodeDecodeError):
            await anext(stream)
        deliver(connection, part(b"c", last=True) + frame(2, b"\xff") + frame(1, "d"))
        with pytest.raises(UnicodeDecodeError):
            await connection.recv(decode=True)
        assert await connection.recv() == "d"


class TestLeaving:
    async def test_leaving_drops_the_rest(self, connection: ClientConnection) -> None:
        deliver(connection, part("a", first=True) + part("b"))
        async for item in connection.recv_streaming():
            assert item == "a"
            break
        deliver(connection, part("c") + part("d", last=True) + frame(1, "next"))
        assert await connection.recv() == "next"

    async def test_leaving_when_the_rest_is_here(
        self, connection: ClientConnection
    ) -> None:
        deliver(connection, part("a", first=True))
        stream = connection.recv_streaming()
        assert await anext(stream) == "a"
        deliver(connection, part("b") + part("c", last=True))
        deliver(connection, part("x", first=True) + part("y", last=True))
        await stream.aclose()
        assert await collect(stream) == []
        assert await connection.recv() == "xy"

    async def test_leaving_a_message_that_was_here(
        self, connection: ClientConnection
    ) -> None:
        deliver(connection, part("a", first=True) + part("b", last=True))
        deliver(connection, frame(1, "next"))
        stream = connection.recv_streaming()
        assert await anext(stream) == "a"
        await stream.aclose()
        assert await connection.recv() == "next"

    async def test_cancelling_before_the_first_part(
        self, connection: ClientConnection
    ) -> None:
        stream = connection.recv_streaming()
        first = asyncio.create_task(anext(stream))
        await turns(2)
        deliver(connection, part("a", first=True))
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        del first, stream
        gc.collect(1)
        deliver(connection, part("b", last=True))
        assert await connection.recv() == "ab"

    async def test_cancelling_later(self, connection: ClientConnection) -> None:
        deliver(connection, part("a", first=True))
        stream = connection.recv_streaming()
        assert await anext(stream) == "a"
        second = asyncio.create_task(anext(stream))
        await turns(2)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        deliver(connection, part("b") + part("c", last=True))
        assert await collect(stream) == ["b", "c"]


class TestOthers:
    async def test_nobody_else_may_receive(self, connection: ClientConnection) -> None:
        deliver(connection, part("a", first=True))
        stream = connection.recv_streaming()
        assert await anext(stream) == "a"
        other = connection.recv_streaming()
        for receive in connection.recv, connection.__anext__:
            with pytest.raises(ConcurrencyError, match="recv_streaming"):
                await receive()
        with pytest.raises(ConcurrencyError, match="recv_streaming"):
            await anext(other)
        deliver(connection, part("b", last=True) + frame(1, "next"))
        for receive in connection.recv, connection.__anext__:
            with pytest.raises(ConcurrencyError, match="recv_streaming"):
                await receive()
        assert await collect(stream) == ["b"]
        assert await collect(other) == ["next"]

    async def test_while_another_task_waits(self, connection: ClientConnection) -> None:
        waiting = asyncio.create_task(connection.recv())
        await turns(2)
        deliver(connection, part("a", first=True))
        with pytest.raises(ConcurrencyError, match="recv_streaming"):
            await anext(connection.recv_streaming())
        deliver(connection, part("b", last=True))
        assert await waiting == "ab"

    async def test_reading_pauses_while_parts_wait(
        self, connection: ClientConnection
    ) -> None:
        transport = connection.transport
        deliver(connection, part(b"a", first=True))
        stream = connection.recv_streaming()
        assert await anext(stream) == b"a"
        for _ in range(4):
            deliver(connection, part(bytes(30000)))
        assert not transport.reading
        assert len(await anext(stream)) == 30000
        assert not transport.reading
        await stream.aclose()
        assert transport.reading

    async def test_a_part_makes_room(self, connection: ClientConnection) -> None:
        transport = connection.transport
        deliver(connection, part(b"a", first=True))
        stream = connection.recv_streaming()
        assert await anext(stream) == b"a"
        for _ in range(4):
            deliver(connection, part(bytes(30000)))
        for _ in range(4):
            assert not transport.reading
            await anext(stream)
        assert transport.reading

    async def test_a_message_that_nobody_takes(
        self, connection: ClientConnection
    ) -> None:
        transport = connection.transport
        connection.protocol.max_size = None
        deliver(connection, part(b"a", first=True))
        for _ in range(11):
            assert transport.reading
            deliver(connection, part(bytes(100_000)))
            # So much at once would be enough for any iteration.
            await turns(1)
        assert not transport.reading
        # Whoever takes it as a whole needs the rest of it.
        whole = asyncio.create_task(connection.recv())
        await turns(2)
        assert transport.reading
        deliver(connection, part(bytes(100_000)))
        await turns(1)
        assert transport.reading
        deliver(connection, part(bytes(100_000), last=True))
        assert len(await whole) == 1_300_001

    async def test_others_get_their_turn(self, connection: ClientConnection) -> None:
        deliver(connection, b"".join([frame(1, "a")] * 200))
        for _ in range(200):
            assert await collect(connection.recv_streaming()) == ["a"]


class TestEnd:
    async def test_closed_normally(self, connection: ClientConnection) -> None:
        deliver(connection, frame(1, "a") + close_frame(1000))
        connection.connection_lost(None)
        assert await collect(connection.recv_streaming()) == ["a"]
        stream = connection.recv_streaming()
        with pytest.raises(ConnectionClosedOK):
            await anext(stream)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    async def test_lost_in_the_middle(self, connection: ClientConnection) -> None:
        deliver(connection, part("a", first=True) + part("b"))
        stream = connection.recv_streaming()
        assert await anext(stream) == "a"
        connection.connection_lost(None)
        assert await anext(stream) == "b"
        with pytest.raises(ConnectionClosedError):
            await anext(stream)

    async def test_frames_that_were_left_unread(
        self, connection: ClientConnection
    ) -> None:
        # What was inflated was too much, so the rest waits to be read.
        deliver(connection, part("a", first=True))
        stream = connection.recv_streaming()
        assert await anext(stream) == "a"
        connection._session.held = True
        deliver(connection, part("b", last=True))
        assert await collect(stream) == ["b"]


class TestPing:
    async def test_the_end_counts_as_an_answer(
        self, connection: ClientConnection
    ) -> None:
        answered = await connection.ping(b"1", ack_on_close=True)
        lost = await connection.ping(b"2", ack_on_close=True)
        left = await connection.ping(b"3", ack_on_close=True)
        left.cancel()
        deliver(connection, frame(10, b"1"))
        assert 0 <= await answered < 10
        connection.connection_lost(None)
        assert math.isnan(await lost)
