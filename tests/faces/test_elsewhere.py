"""Connections used in another thread or event loop than their own: a clear error."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from faces.support import Face, echo, pair, uri_of

OPERATIONS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "send": lambda ws: ws.send("a"),
    "send fragments": lambda ws: ws.send(["a", "b"]),
    "recv": lambda ws: ws.recv(),
    "async for": lambda ws: anext(aiter(ws)),
    "ping": lambda ws: ws.ping(),
    "pong": lambda ws: ws.pong(),
    "close": lambda ws: ws.close(),
    "wait_closed": lambda ws: ws.wait_closed(),
}


@pytest.mark.parametrize("name", OPERATIONS)
async def test_in_another_thread(face: Face, name: str) -> None:
    async def use() -> None:
        await OPERATIONS[name](client)

    async with pair(face) as (client, server):
        with pytest.raises(RuntimeError, match="loop"):
            await asyncio.to_thread(lambda: asyncio.run(use()))
        # Nothing has happened.
        await client.send("still open")
        assert await server.recv() == "still open"
        await server.send("and back")
        assert await client.recv() == "and back"


async def test_how_other_threads_send(face: Face) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        async with face.connect(uri_of(server)) as client:
            loop = asyncio.get_running_loop()

            def send() -> None:
                sending = asyncio.run_coroutine_threadsafe(client.send("a"), loop)
                sending.result()

            await asyncio.to_thread(send)
            assert await client.recv() == "a"


async def test_broadcasting_in_another_thread(face: Face) -> None:
    async with pair(face) as (client, server):
        with pytest.raises(RuntimeError, match="call_soon_threadsafe"):
            await asyncio.to_thread(lambda: face.broadcast([server], "a"))
        loop = asyncio.get_running_loop()
        await asyncio.to_thread(
            lambda: loop.call_soon_threadsafe(face.broadcast, [server], "b")
        )
        assert await client.recv() == "b"
