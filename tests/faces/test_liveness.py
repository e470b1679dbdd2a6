"""Keepalive, and peers that don't read: who is cut, and who isn't."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from faces.support import (
    Face,
    Raw,
    frame,
    pair,
    pass_time,
    raw_client,
    raw_server,
    turns,
    until,
)
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Opcode
from websockets.testing import VirtualClock, network, wire_of


async def idle(websocket: Any) -> None:
    await websocket.wait_closed()


async def deaf(raw: Raw) -> None:
    """Accept, and never answer anything."""
    await raw.accept()
    await raw.read_all()


async def test_pings_go_out(face: Face) -> None:
    async with face.serve(idle, "localhost", 0) as server:
        async with raw_client(server) as raw:
            await raw.handshake()
            (connection,) = server.websockets
            assert connection.ping_interval == connection.ping_timeout == 20
            payloads = set()
            for number in (1, 2, 3):
                pass_time(connection, number * 20.1)
                opcode, data = await raw.read_frame()
                assert opcode == 9
                assert len(data) == 4
                payloads.add(data)
                raw.write(frame(10, data, mask=True))
                await until(lambda: not len(connection._session.pings))
            assert len(payloads) == 3
            assert connection.latency >= 0


async def test_a_real_timer_does_it(face: Face) -> None:
    async with face.serve(idle, "localhost", 0, ping_interval=0.005) as server:
        async with raw_client(server) as raw:
            await raw.handshake()
            for _ in range(3):
                opcode, data = await raw.read_frame()
                assert opcode == 9
                raw.write(frame(10, data, mask=True))


async def test_a_silent_peer_is_cut(face: Face, clock: VirtualClock) -> None:
    async with network(), pair(face) as (client, server):
        wire_of(client).stall()
        with pytest.raises(ConnectionClosedError) as caught:
            await client.recv()
        # The peer doesn't answer the close frame either, for 10 seconds.
        assert clock.elapsed == 20 + 20 + 10
        assert str(caught.value) == (
            "sent 1011 (internal error) keepalive ping timeout; no close frame received"
        )
        assert isinstance(caught.value.__cause__, TimeoutError)
        assert "20 seconds" in str(caught.value.__cause__)


async def test_a_peer_that_is_far_away_is_not_cut(
    face: Face, clock: VirtualClock
) -> None:
    async with network(), pair(face) as (client, server):
        wire_of(client).delay(9.9)
        await clock.advance(1000)
        assert client.open and server.open
        assert client.latency == pytest.approx(19.8)


@pytest.mark.parametrize("alive", [frame(1, "a"), frame(9, b"a"), b"\x81"])
async def test_any_byte_counts_as_life(face: Face, alive: bytes) -> None:
    go = asyncio.Event()

    async def script(raw: Raw) -> None:
        await raw.accept()
        await raw.read_frame()
        raw.write(alive)
        await go.wait()

    async with raw_server(script) as uri:
        async with face.connect(uri, close_timeout=0.01) as client:
            pass_time(client, 20.1)
            await until(lambda: client._session.clock.heard)
            pass_time(client, 40.15)
            assert client.open
            go.set()


async def test_no_keepalive(face: Face, clock: VirtualClock) -> None:
    options = {"ping_interval": None}
    async with network(), pair(face, options, options) as (client, server):
        wire_of(client).stall()
        await clock.advance(10_000)
        assert client.open and server.open
        assert not wire_of(client).frames()


async def test_no_ping_timeout(face: Face, clock: VirtualClock) -> None:
    """Pings go out, and nobody is cut."""
    options = {"ping_timeout": None}
    async with network(), pair(face, options, options) as (client, server):
        wire_of(client).stall()
        await clock.advance(1000)
        assert client.open and server.open
        for sender in "client", "server":
            sent = [
                frame for frame in wire_of(client).frames() if frame.sender == sender
            ]
            assert [round(frame.at) for frame in sent] == [*range(20, 1001, 20)]
            assert all(frame.opcode is Opcode.PING for frame in sent)


async def test_a_slow_application_does_not_cut_its_peer(
    face: Face, clock: VirtualClock
) -> None:
    """While we are the ones who don't read, nothing is held against the peer."""
    options = {"max_queue": 1, "read_limit": 1}
    async with (
        network(),
        pair(face, options, {"ping_interval": None}) as (client, server),
    ):
        for _ in range(100):
            await client.send(b"x" * 1000)
        await until(lambda: server._reading_paused)
        await clock.advance(200)
        assert server.open
        for _ in range(100):
            await server.recv()


async def test_pings_are_answered_behind_waiting_messages(face: Face) -> None:
    """There is a reserve to read in when max_queue messages wait."""
    async with face.serve(idle, "localhost", 0, max_queue=2) as server:
        async with raw_client(server) as raw:
            await raw.handshake()
            for number in range(50):
                raw.write(frame(1, "x" * 100, mask=True))
                raw.write(frame(9, str(number), mask=True))
                assert await raw.read_frame() == (10, str(number).encode())
            (connection,) = server.websockets
            assert len(connection.messages) == 50


async def test_memory_stays_bounded_when_the_application_does_not_read(
    face: Face,
) -> None:
    async with face.serve(idle, "localhost", 0, max_queue=2) as server:
        async with raw_client(server) as raw:
            await raw.handshake()
            (connection,) = server.websockets
            while not connection._reading_paused:
                raw.write(frame(2, bytes(10_000), mask=True))
                await asyncio.sleep(0)
            assert len(connection.messages) < 20
            raw.writer.transport.abort()


# A peer that doesn't read.


async def fill(connection: Any) -> asyncio.Task[None]:
    """Send until sending has to wait; return what waits."""

    async def send() -> None:
        while True:
            await connection.send(b"x" * 100_000)

    task = asyncio.create_task(send())
    await until(lambda: connection._drain_waiters)
    return task


async def test_a_peer_that_does_not_read_slows_us_down(face: Face) -> None:
    async with pair(
        face,
        {"max_queue": 1, "read_limit": 1, "ping_interval": None},
        {"write_limit": 1000, "ping_interval": None, "compression": None},
    ) as (client, server):
        task = await fill(client)
        assert not task.done()
        assert client.transport.get_write_buffer_size() < 300_000
        received = 0
        while received < 30:
            await server.recv()
            received += 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        server.transport.abort()


async def test_a_peer_that_never_reads_is_cut(face: Face) -> None:
    done = asyncio.Event()

    async def script(raw: Raw) -> None:
        await raw.accept()
        raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await done.wait()
        raw.writer.transport.abort()

    async with raw_server(script) as uri:
        async with face.connect(uri, compression=None) as client:
            tasks = [await fill(client)]
            tasks.append(asyncio.create_task(client.send("one more")))
            tasks.append(asyncio.create_task(client.recv()))
            await turns(3)
            # Keepalive's own ping doesn't wait for the write buffer.
            pass_time(client, 20.05)
            for number in range(1, 4):
                pass_time(client, 20.05 * number + 1)
            await client.wait_closed()
            for task in tasks:
                with pytest.raises(ConnectionClosedError) as caught:
                    await task
                assert isinstance(caught.value.__cause__, TimeoutError)
                assert "has read none of" in str(caught.value.__cause__)
        done.set()


async def test_a_flood_of_pings_from_a_peer_that_does_not_read(face: Face) -> None:
    """They're merged into one pending pong; memory stays bounded."""

    tasks = []

    async def handler(websocket: Any) -> None:
        tasks.append(await fill(websocket))
        await websocket.wait_closed()

    async with face.serve(handler, "localhost", 0, compression=None) as server:
        async with raw_client(server) as raw:
            await raw.handshake()
            raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
            (connection,) = server.websockets
            await until(lambda: connection._writing_paused)
            before = connection.transport.get_write_buffer_size()
            for number in range(1000):
                raw.write(frame(9, f"{number:0100}", mask=True))
            await raw.writer.drain()
            await until(lambda: connection.protocol._held_pong == b"%0100d" % 999)
            assert connection.transport.get_write_buffer_size() <= before
            raw.writer.transport.resume_reading()  # type: ignore[attr-defined]
            while (got := await raw.read_frame())[0] != 10:
                pass
            assert got == (10, b"%0100d" % 999)
            raw.writer.transport.abort()
        await connection.wait_closed()
        with pytest.raises(ConnectionClosedError):
            await tasks[0]


async def test_pings_do_not_pile_up_behind_a_backlog(face: Face) -> None:
    """Also where nobody is cut; see ``ping_timeout``."""

    tasks = []

    async def handler(websocket: Any) -> None:
        tasks.append(await fill(websocket))
        await websocket.wait_closed()

    async with face.serve(
        handler, "localhost", 0, compression=None, ping_timeout=None
    ) as server:
        async with raw_client(server) as raw:
            await raw.handshake()
            raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
            (connection,) = server.websockets
            await until(lambda: connection._writing_paused)
            for number in range(10):
                pass_time(connection, 20.1 * (number + 1))
            assert len(connection._session.pings) == 1
            raw.writer.transport.abort()
        await connection.wait_closed()
        with pytest.raises(ConnectionClosedError):
            await tasks[0]


async def test_cancelling_a_send_that_waits(face: Face) -> None:
    done = asyncio.Event()

    async def script(raw: Raw) -> None:
        await raw.accept()
        raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await done.wait()
        raw.writer.transport.abort()

    async with raw_server(script) as uri:
        client = await face.connect(uri, compression=None)
        task = await fill(client)
        others = [asyncio.create_task(client.send("a")) for _ in range(3)]

        async def fragments() -> AsyncIterator[bytes]:
            yield b"a"
            yield b"b"

        others.append(asyncio.create_task(client.send(fragments())))
        await turns(3)
        task.cancel()
        others[1].cancel()
        await asyncio.wait([task, others[1]])
        done.set()
        for other in others[:1] + others[2:]:
            with pytest.raises(ConnectionClosedError):
                await other


async def test_write_limits(face: Face) -> None:
    async with pair(face, client={"write_limit": (1000, 10)}) as (client, server):
        limits = getattr(client.transport, "get_write_buffer_limits", None)
        if limits is not None:
            assert limits() == (10, 1000)
        assert client.write_limit == (1000, 10)
        assert client.max_queue == 32
        assert client.read_limit == 2**16
        assert client.max_size == 2**20
        client.max_size = 7
        assert client.max_size == 7


async def test_progress_of_large_messages_keeps_the_connection(face: Face) -> None:
    """A message that takes longer than ping_timeout isn't a stall."""
    options = {"max_size": None}
    async with pair(face, options, {"compression": None}) as (client, server):
        data = b"x" * 5_000_000
        sending = asyncio.create_task(client.send(data))
        receiving = asyncio.create_task(server.recv())
        await turns(2)
        while not receiving.done():
            pass_time(client, 1)
            await turns(1)
        await sending
        assert await receiving == data
