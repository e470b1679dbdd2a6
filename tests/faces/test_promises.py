"""Promises of docs/topics/promises.rst that no other file keeps an eye on."""

from __future__ import annotations

import asyncio
import zlib
from typing import Any
from unittest import mock

import pytest

from faces.support import (
    Face,
    FakeTransport,
    deliver,
    frame,
    masked,
    pair,
    turns,
)
from websockets.classic.protocol import WebSocketCommonProtocol
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.protocol import State


def connect(bits: int | None, forgets: bool = False) -> tuple[Any, FakeTransport]:
    """Return a server's open connection; with compression unless bits is None."""
    connection = WebSocketCommonProtocol()
    transport = FakeTransport(connection)
    connection.connection_made(transport)
    connection.connection_open()
    if bits is not None:
        connection.extensions = [PerMessageDeflate(forgets, forgets, bits, bits)]
    return connection, transport


async def end(*connections: Any) -> None:
    for connection in connections:
        if connection.state is not State.CLOSED:
            connection.connection_lost(None)
    await turns(3)


async def test_a_broadcast_is_made_once(face: Face) -> None:
    """Once plain, and once for each size of window, takeover or not."""
    kinds = [(None, False), (15, False), (15, True), (12, False), (12, True)]
    ends = [connect(*kind) for kind in kinds * 3]
    message = "the same for all " * 100
    frames: list[bytes] = []
    for _, transport in ends:
        # As it is handed in, before FakeTransport makes a copy.
        transport.write = frames.append  # type: ignore[method-assign, assignment]
    with mock.patch.object(zlib, "compressobj", wraps=zlib.compressobj) as compressobj:
        face.broadcast([connection for connection, _ in ends], message)
    assert len(frames) == len(ends)
    # They are the same objects, and not only equal.
    assert len({id(data) for data in frames}) == 3
    assert compressobj.call_count == 2
    await end(*(connection for connection, _ in ends))


async def test_several_tasks_ping_and_send_at_once(face: Face) -> None:
    """Also while they wait for room: those who wait are a queue."""
    async with pair(face) as (client, server):
        client.pause_writing()
        sending = [asyncio.create_task(client.send(str(n))) for n in range(10)]
        pings = [asyncio.create_task(client.ping()) for _ in range(10)]
        await turns(3)
        assert not any(task.done() for task in sending)
        client.resume_writing()
        await asyncio.gather(*sending)
        assert [await server.recv() for _ in range(10)] == [str(n) for n in range(10)]
        for pong in await asyncio.gather(*pings):
            assert await pong >= 0


async def test_control_frames_are_seen_while_nobody_receives() -> None:
    connection, transport = connect(None)
    deliver(connection, masked(*[(1, b"x" * 100)] * 50, (9, b"ping")))
    await turns(2)
    assert len(connection.messages) == 50
    assert transport.written == [frame(10, b"ping")]
    await end(connection)


@pytest.mark.parametrize("bits", [9, 15])
async def test_a_connection_has_no_compressor_before_it_needs_one(bits: int) -> None:
    connection, _ = connect(bits)
    [extension] = connection.extensions
    await connection.send("tiny")
    assert extension.encoder is extension.decoder is None
    assert extension._deflater is None
    await connection.send("not so tiny " * 100)
    assert extension._deflater is not None
    # Nothing is sent between two keepalive pings.
    for _ in range(2):
        connection.protocol.compressor.release_if_idle()
    assert extension._deflater is None
    await end(connection)
