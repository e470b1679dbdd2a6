"""Faults that once left something behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import socket
import sys
from typing import Any

import pytest

from cancelling import open_files
from conftest import LOOPS
from faces.support import Face, echo, port_of, raw_client, turns, until
from websockets.asyncio.loops import loop_state
from websockets.exceptions import ConnectionClosed, InvalidMessage


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


class Failing(logging.Filter):
    """Raises from some record on; logging lets that through.

    Args:
        first: which record that is, counted from 1.

    """

    def __init__(self, first: int) -> None:
        super().__init__()
        self.first = first
        self.seen = 0

    def filter(self, record: logging.LogRecord) -> bool:
        self.seen += 1
        if self.seen >= self.first:
            raise ZeroDivisionError("in a filter")
        return True


@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
@pytest.mark.parametrize("side", ["server", "client"])
async def test_logging_that_fails(
    face: Face, side: str, level: int, clean_loop: list[Any]
) -> None:
    """Wherever it begins to fail, both ends come to their end, and all are woken."""
    logger = logging.getLogger(f"websockets.{side}")
    for first in range(1, 100):
        failing = Failing(first)
        async with face.serve(echo, "127.0.0.1", 0) as server:
            logger.setLevel(level)
            logger.addFilter(failing)
            try:
                await visit(face, server)
                await until(lambda: not server.websockets)
            finally:
                logger.removeFilter(failing)
                logger.setLevel(logging.NOTSET)
        if failing.seen < first:
            break
    else:
        raise AssertionError("there is no end of records")
    # The event loop tells what its callbacks and the server's tasks have raised.
    reported = [context["exception"] for context in clean_loop]
    clean_loop.clear()
    assert all("in a filter" in str(exc) for exc in reported)


async def visit(face: Face, server: Any) -> None:
    """Exchange messages with a server that may fail, or be failed by."""
    failures = (ZeroDivisionError, ConnectionClosed, InvalidMessage, OSError)
    with contextlib.suppress(*failures):
        async with face.connect(f"ws://127.0.0.1:{port_of(server)}/") as client:
            waiting = asyncio.create_task(client.wait_closed())
            try:
                await client.send("hello")
                assert await client.recv() == "hello"
                await client.close()
            finally:
                client.transport.abort()
                await waiting


async def test_a_slow_reader_bounds_what_its_senders_keep(
    face: Face, clean_loop: list[Any]
) -> None:
    """However many tasks send to it, each has one message on its way at most."""
    options = {"compression": None, "write_limit": 10_000}
    async with face.serve(idle, "127.0.0.1", 0, max_queue=1) as server:
        uri = f"ws://127.0.0.1:{port_of(server)}/"
        async with face.connect(uri, **options) as slow, face.connect(uri) as other:
            # As the transport does when the peer doesn't read.
            slow.pause_writing()
            before = slow.stats.messages_sent
            tasks = [asyncio.create_task(flood(slow)) for _ in range(5)]
            await turns(20)
            assert slow.stats.messages_sent - before == 5
            # Nobody else has to wait.
            for _ in range(100):
                await other.send("x")
            slow.transport.abort()
            await asyncio.wait(tasks)
            assert all(isinstance(task.exception(), ConnectionClosed) for task in tasks)


async def idle(websocket: Any) -> None:
    await websocket.wait_closed()


async def flood(websocket: Any) -> None:
    """Send for ever."""
    while True:
        await websocket.send("x" * 1000)


async def test_large_messages_give_others_their_turn_sooner(face: Face) -> None:
    """The clock is looked at after so much work, not after so many messages."""
    # A turn must not be over before one has looked.
    loop_state(asyncio.get_running_loop()).clock = lambda: 1.0
    async with face.serve(idle, "127.0.0.1", 0) as server:
        options = {"write_limit": 2**24, "compression": None}
        uri = f"ws://127.0.0.1:{port_of(server)}/"
        for large in (bytes(2**20), [bytes(2**19), bytes(2**19)], ["x"] * 100):
            async with face.connect(uri, **options) as client:
                await client.send(b"x")
                assert client._turn_began == 0.0
                await client.send(large)
                assert client._turn_began > 0.0
                client.transport.abort()


@pytest.mark.parametrize("make", LOOPS.values(), ids=LOOPS)
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_a_loop_that_is_closed_while_a_server_closes(
    face: Face, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left of it ends quietly."""
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)

    async def begin_to_close() -> None:
        server = await face.serve(idle, "127.0.0.1", 0)
        client = await face.connect(f"ws://127.0.0.1:{port_of(server)}/")
        client.transport.pause_reading()
        server.close()
        await turns(5)

    loop = make()
    # That tasks are left is the point here.
    loop.set_exception_handler(lambda loop, context: None)
    loop.run_until_complete(begin_to_close())
    loop.close()
    del loop
    gc.collect()
    assert not told
