"""Faults that once left something behind."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from cancelling import open_files
from faces.support import Face, echo, port_of, raw_client, turns, until


@pytest.mark.parametrize("iterations", range(4))
async def test_a_client_that_comes_as_the_server_closes(
    face: Face, iterations: int, clean_loop: list[Any]
) -> None:
    """Its socket is closed, too, whenever it was accepted."""
    async with face.serve(echo, "127.0.0.1", 0) as warm, raw_client(warm):
        pass
    await turns(5)
    before = open_files()
    async with face.serve(echo, "127.0.0.1", 0) as server:
        with socket.create_connection(("127.0.0.1", port_of(server))):
            await turns(iterations)
    await turns(5)
    assert open_files() == before


@pytest.mark.parametrize("iterations", range(4))
async def test_all_tasks_cancelled_while_a_server_closes(
    face: Face, iterations: int, clean_loop: list[Any]
) -> None:
    """As asyncio.run() does at its end; whoever waits for the server goes on."""
    servers = []

    async def serve() -> None:
        async with face.serve(echo, "127.0.0.1", 0) as server:
            async with face.connect(f"ws://127.0.0.1:{port_of(server)}/"):
                servers.append(server)
                server.close()
                await asyncio.Event().wait()

    before = asyncio.all_tasks()
    task = asyncio.create_task(serve())
    await until(lambda: servers)
    await turns(iterations)
    for other in asyncio.all_tasks() - before:
        other.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not servers[0].sockets
    await until(lambda: not servers[0].websockets)
