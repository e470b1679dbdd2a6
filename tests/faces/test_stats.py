"""Counters of connections and servers."""

from __future__ import annotations

import asyncio
import os
import zlib
from typing import Any

import pytest

import websockets
from faces.support import Face, echo, pair, until, uri_of


async def test_messages_and_bytes(face: Face) -> None:
    plain: dict[str, Any] = {"compression": None}
    async with pair(face, plain, plain) as (client, server):
        before = client.stats, server.stats
        assert before[0].bytes_received == before[1].bytes_sent > 100
        assert before[0].bytes_sent == before[1].bytes_received > 100
        await client.send("é" * 100)
        await client.send([b"a", b"b", b"c"])
        await server.recv()
        await server.recv()
        await server.send(b"x" * 1000)
        await client.recv()
        await (await client.ping())
        mine, others = client.stats, server.stats
        assert mine.messages_sent == others.messages_received == 2
        assert mine.messages_received == others.messages_sent == 1
        # A pong, and a ping.
        assert mine.controls_received == others.controls_received == 1
        assert mine.latency == client.latency > 0 == others.latency
        sent = 8 + 200 + 3 * 7 + 6 + 4
        assert mine.bytes_sent - before[0].bytes_sent == sent
        assert others.bytes_received - before[1].bytes_received == sent
        assert mine.bytes_received - before[0].bytes_received == 1004 + 6
        assert mine.compressed_sent == others.compressed_received == 0
        assert mine.close_code is None
    assert client.stats.close_code == server.stats.close_code == 1000
    assert client.stats.controls_received == 2


async def test_compression(face: Face) -> None:
    async with pair(face) as (client, server):
        message = "squeeze me " * 100
        await client.send(message)
        await client.send("tiny")
        await client.send([message, message])
        for _ in range(3):
            await server.recv()
        face.broadcast([server], message)
        await client.recv()
        mine, others = client.stats, server.stats
        assert mine.uncompressed_sent == 3 * len(message)
        assert mine.uncompressed_received == len(message)
        assert 0 < mine.compressed_sent < mine.uncompressed_sent / 10
        assert mine.compressed_sent == others.compressed_received
        assert mine.uncompressed_sent == others.uncompressed_received
        deflater = zlib.compressobj(wbits=-12, memLevel=5)
        size = len(deflater.compress(message.encode()) + deflater.flush(2)) - 4
        assert mine.compressed_received == others.compressed_sent
        assert mine.compressed_received == pytest.approx(size, abs=20)
        assert others.messages_sent == 1


@pytest.mark.parametrize("size", [200, 70_000])
async def test_shared_frames_of_all_sizes(face: Face, size: int) -> None:
    async with pair(face) as (client, server):
        noise = "".join(map(chr, range(33, 127))) * (size // 94 + 1)
        face.broadcast([server], noise)
        await client.recv()
        assert server.stats.compressed_sent == client.stats.compressed_received
        assert server.stats.uncompressed_sent == len(noise)


async def test_what_is_not_compressed_is_not_counted(face: Face) -> None:
    async with pair(face) as (client, server):
        await client.send(os.urandom(1000))
        await server.recv()
        face.broadcast([server], os.urandom(1000))
        await client.recv()
        for stats in client.stats, server.stats:
            assert stats.messages_sent == stats.messages_received == 1
            assert stats.compressed_sent == stats.uncompressed_received == 0


async def test_what_waits(face: Face) -> None:
    plain: dict[str, Any] = {"compression": None, "max_queue": 1}
    limited = plain | {"write_limit": 1000}
    async with pair(face, plain, limited) as (client, server):
        await client.send("wait")
        await until(lambda: server.stats.queued_messages)
        assert server.stats.queued_bytes == 4

        async def flood() -> None:
            while True:
                await client.send(b"x" * 100_000)

        task = asyncio.create_task(flood())
        await until(lambda: client.stats.buffered_bytes)
        await until(lambda: client.stats.writing_pauses)
        await until(lambda: server.stats.reading_pauses)
        stats = client.stats
        assert (
            stats.bytes_sent + stats.buffered_bytes >= stats.messages_sent * 1e5 - 1e5
        )
        task.cancel()
        client.transport.abort()


async def test_servers_sum_up(face: Face) -> None:
    async with face.serve(echo, "localhost", 0) as running:
        server = getattr(running, "ws_server", running)
        assert server.stats.connections == server.stats.accepted == 0
        async with (
            face.connect(uri_of(server)) as one,
            face.connect(uri_of(server)) as two,
        ):
            for client in one, two:
                await client.send("hello")
                await client.recv()
            await two.close(4000)
            await until(lambda: server.stats.closed)
            stats = server.stats
            assert stats.connections == 1
            assert stats.accepted == 2
            assert stats.closed == {4000: 1}
            assert stats.messages_received == stats.messages_sent == 2
            assert (
                stats.bytes_sent == one.stats.bytes_received + two.stats.bytes_received
            )
            # Frameworks may do it once more.
            ended = server.stats
            server.unregister(two)
            assert server.stats == ended
        reader, writer = await asyncio.open_connection(
            "localhost", server.sockets[0].getsockname()[1]
        )
        await until(lambda: server.stats.handshakes)
        assert server.stats.connections == 0
        writer.close()
        await until(lambda: not server.stats.handshakes)
        assert server.stats.accepted == 2


def test_they_are_public() -> None:
    assert websockets.ConnectionStats._fields[0] == "messages_received"
    assert websockets.ServerStats._fields[0] == "connections"
