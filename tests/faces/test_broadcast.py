"""One message to many connections."""

from __future__ import annotations

import asyncio
import contextlib
import os
import zlib
from collections.abc import AsyncIterator
from typing import Any
from unittest import mock

import pytest

from faces.support import Face, Logs, turns, until, uri_of
from websockets.extensions import deflate
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory


@contextlib.asynccontextmanager
async def crowd(
    face: Face, *clients: dict[str, Any], **options: Any
) -> AsyncIterator[tuple[list[Any], list[Any]]]:
    """Connect clients with these arguments; give them and their other ends."""

    async def handler(websocket: Any) -> None:
        await websocket.wait_closed()

    async with (
        face.serve(handler, "localhost", 0, **options) as server,
        contextlib.AsyncExitStack() as stack,
    ):
        connected: list[Any] = []
        others: list[Any] = []
        for client in clients:
            connected.append(
                await stack.enter_async_context(face.connect(uri_of(server), **client))
            )
            await until(lambda: len(server.websockets) == len(connected))
            others += [ws for ws in server.websockets if ws not in others]
        yield connected, others


MESSAGES = [
    os.urandom(1000),
    "text",
    "té" * 1000,
    b"bytes",
    b"x" * 100_000,
    bytearray(b"a"),
    "",
]


@pytest.mark.parametrize("message", [*MESSAGES, memoryview(b"view")])
@pytest.mark.parametrize("compression", [None, "deflate"])
async def test_everyone_gets_it(
    face: Face, message: Any, compression: str | None
) -> None:
    clients = [{"compression": c} for c in ("deflate", None, "deflate", None)]
    async with crowd(face, *clients, compression=compression) as (got, connections):
        for _ in range(3):
            face.broadcast(connections, message)
            expected = message if isinstance(message, str) else bytes(message)
            for client in got:
                assert await client.recv() == expected


@pytest.mark.parametrize("library", ["zlib", "isal"])
async def test_with_the_library_of_the_connection(
    face: Face, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = mock.Mock(compressobj=mock.Mock(wraps=zlib.compressobj))
    monkeypatch.setattr(deflate, "_load", {"isal": fake}.get)
    factory = ServerPerMessageDeflateFactory(library=library)
    async with crowd(face, {}, {}, extensions=[factory]) as (clients, connections):
        face.broadcast(connections, "large" * 1000)
        for client in clients:
            assert await client.recv() == "large" * 1000
    assert fake.compressobj.call_count == (0 if library == "zlib" else 1)


async def test_other_messages_come_between(face: Face) -> None:
    """Compression goes on well after a broadcast, in both directions."""
    text = "some text that is long enough to be compressed, again and again" * 3
    async with crowd(face, {}, {}) as (clients, connections):
        for number in range(5):
            for client, connection in zip(clients, connections, strict=True):
                await connection.send(f"{text}{number}")
                await client.send(f"{text}{number}")
                assert await connection.recv() == f"{text}{number}"
            face.broadcast(connections, f"all {text}{number}")
            for client in clients:
                assert await client.recv() == f"{text}{number}"
                assert await client.recv() == f"all {text}{number}"


@pytest.mark.parametrize("message", [None, 42, ["a"], {"a": 1}])
async def test_what_cannot_be_broadcast(face: Face, message: Any) -> None:
    with pytest.raises(TypeError):
        face.broadcast([], message)


async def test_clients_may_broadcast_too(face: Face) -> None:
    async with crowd(face, {}, {"compression": None}) as (clients, connections):
        face.broadcast(clients, "hello" * 100)
        for connection in connections:
            assert await connection.recv() == "hello" * 100


async def test_whoever_is_not_open_is_left_out(face: Face, logs: Logs) -> None:
    async with crowd(face, {}, {}) as (clients, connections):
        await clients[0].close()
        await until(lambda: connections[0].closed)
        face.broadcast(connections, "hello")
        assert await clients[1].recv() == "hello"
    assert not logs.texts(30)


async def test_a_fragmented_message_is_not_interrupted(face: Face, logs: Logs) -> None:
    go = asyncio.Event()

    async def message() -> AsyncIterator[str]:
        yield "a"
        await go.wait()
        yield "b"

    async with crowd(face, {}, {}) as (clients, connections):
        task = asyncio.create_task(connections[0].send(message()))
        await turns(2)
        face.broadcast(connections, "hello")
        with pytest.raises(ExceptionGroup) as caught:
            face.broadcast(connections, "hello", raise_exceptions=True)
        assert str(caught.value.exceptions[0]) == "sending a fragmented message"
        go.set()
        await task
        assert await clients[0].recv() == "ab"
        assert await clients[1].recv() == "hello"
    assert logs.texts(30) == ["skipped broadcast: sending a fragmented message"]
    (record,) = [r for r in logs.records if r.levelno == 30]
    assert record.websocket is connections[0]  # type: ignore[attr-defined]


async def test_a_connection_that_fails_does_not_harm_others(
    face: Face, logs: Logs
) -> None:
    async with crowd(face, {}, {}) as (clients, connections):
        # Tests of applications replace what transports do.
        connection, transport = connections[0], connections[0].transport
        connection.transport = mock.Mock(wraps=transport)
        connection.transport.write.side_effect = RuntimeError("oops")
        face.broadcast(connections, "hello")
        with pytest.raises(ExceptionGroup):
            connection._dirty = False
            face.broadcast(connections, "again", raise_exceptions=True)
        connection.transport = transport
        assert await clients[1].recv() == "hello"
        assert await clients[1].recv() == "again"
    assert logs.texts(30) == ["skipped broadcast: failed to write message"]


async def test_a_broadcast_does_not_wait(face: Face) -> None:
    async with crowd(face, {"max_queue": 1, "read_limit": 1}) as (clients, connections):
        for _ in range(100):
            face.broadcast(connections, b"x" * 100_000)
        for _ in range(100):
            assert len(await clients[0].recv()) == 100_000


async def test_none_is_no_connection(face: Face) -> None:
    with pytest.raises(TypeError, match="cannot broadcast to None"):
        face.broadcast([None], "hello")
