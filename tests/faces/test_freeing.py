"""A connection that has ended is freed at once: no garbage collector has to find it."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from faces.support import (
    REQUEST,
    Face,
    Raw,
    close_frame,
    echo,
    masked,
    raw_client,
    raw_server,
    uri_of,
)
from websockets.asyncio import connecting
from websockets.asyncio.serving import ServerSide
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    forget_tracebacks,
)

DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"


class Connections:
    """
    Those that were made, as far as they are still there.

    Attributes:
        logger: one for them, out of reach of pytest, which keeps what is logged.

    """

    def __init__(self, level: int) -> None:
        self.made: list[weakref.ref[Any]] = []
        self.logger = logging.Logger("alone", level)
        self.logger.addHandler(logging.NullHandler())

    def take_note(self, connection: Any) -> None:
        self.made.append(weakref.ref(connection))

    async def are_gone(self) -> None:
        """Check that there were some, and that none is left soon."""
        assert self.made
        for _ in range(100):
            if not any(ref() is not None for ref in self.made):
                return
            await asyncio.sleep(0.01)
        left = [ref() for ref in self.made if ref() is not None]
        raise AssertionError([gc.get_referrers(item) for item in left])


@pytest.fixture(params=[logging.WARNING, logging.DEBUG], ids=["quiet", "debug"])
def connections(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Connections]:
    """
    Take note of each side's connections, while there is no garbage collector.

    With and without logging, for which each has a logger of its own.
    """
    connections = Connections(request.param)
    connection_made, check = ServerSide.connection_made, connecting.check_connection

    def note_server_side(self: Any, transport: Any) -> None:
        connections.take_note(self)
        connection_made(self, transport)

    def note_client_side(connection: Any) -> Any:
        connections.take_note(connection)
        return check(connection)

    monkeypatch.setattr(ServerSide, "connection_made", note_server_side)
    monkeypatch.setattr(connecting, "check_connection", note_client_side)
    gc.collect()
    gc.disable()
    yield connections
    gc.enable()


async def test_both_sides(face: Face, connections: Connections) -> None:
    async with face.serve(echo, "localhost", 0, logger=connections.logger) as server:
        async with face.connect(uri_of(server), logger=connections.logger) as client:
            await client.send("message")
            assert await client.recv() == "message"
            await client.send(["frag", "ments"])
            assert await client.recv() == "fragments"
            await (await client.ping())
        with pytest.raises(ConnectionClosed):
            await client.recv()
        del client
        await connections.are_gone()


@pytest.mark.parametrize(
    "data",
    [
        close_frame(1000, mask=True),
        b"\xff\xff\xff",
        b"\x82\xff" + b"\xff" * 12,
        masked((1, b"\xff")),
        b"\xc1\x85\0\0\0\0wrong",
        masked((2, bytes(2000))),
        b"",
    ],
    ids=["close", "junk", "length", "utf-8", "deflate", "too-big", "end"],
)
async def test_servers(face: Face, connections: Connections, data: bytes) -> None:
    """However it ends."""
    async with face.serve(
        echo, "localhost", 0, max_size=1000, logger=connections.logger
    ) as server:
        async with raw_client(server) as raw:
            raw.write(REQUEST + DEFLATE + b"\r\n" + data)
            if not data:
                await raw.read_head()
        await connections.are_gone()


@pytest.mark.parametrize(
    "data",
    [
        b"EHLO mail\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        REQUEST.replace(b"A==", b"===") + b"\r\n",
        REQUEST + b"\r\n",
        REQUEST,
    ],
    ids=["smtp", "browser", "key", "origin", "end"],
)
async def test_servers_that_refuse(
    face: Face, connections: Connections, data: bytes
) -> None:
    async with face.serve(
        echo, "localhost", 0, origins=["http://here"], logger=connections.logger
    ) as server:
        async with raw_client(server) as raw:
            raw.write(data)
        await connections.are_gone()


async def test_servers_whose_hook_raises(face: Face, connections: Connections) -> None:
    async def process_request(path: str, headers: Any) -> None:
        raise RuntimeError("the hook")

    async with face.serve(
        echo, "localhost", 0, process_request=process_request, logger=connections.logger
    ) as server:
        async with raw_client(server) as raw:
            raw.write(REQUEST + b"\r\n")
            assert b" 500 " in await raw.read_all()
        await connections.are_gone()


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n",
        b"",
    ],
    ids=["ssh", "200", "key", "end"],
)
async def test_clients_that_fail(
    face: Face, connections: Connections, answer: bytes
) -> None:
    async def script(raw: Raw) -> None:
        await raw.read_head()
        raw.write(answer)

    async with raw_server(script) as uri:
        with pytest.raises(InvalidHandshake):
            await face.connect(uri, logger=connections.logger)
        await connections.are_gone()


async def test_servers_that_fail_otherwise(
    face: Face, connections: Connections
) -> None:
    """What is wrong with what comes behind a message doesn't matter any more."""

    async def handler(connection: Any) -> None:
        await connection.recv()
        raise RuntimeError("the handler")

    async with face.serve(handler, "localhost", 0, logger=connections.logger) as server:
        async with raw_client(server) as raw:
            raw.write(REQUEST + b"\r\n" + masked((1, b"good")) + b"\x83\x80")
            await raw.read_head()
        await connections.are_gone()


async def test_tracebacks_of_others_are_left_alone(face: Face) -> None:
    """The transport's error has come while the application handled its own."""

    async def fail(server: Any) -> None:
        async with face.connect(uri_of(server)) as client:
            await client.send("leave")
            await asyncio.sleep(0.05)
            raise ValueError("the application's")

    async def leave(connection: Any) -> None:
        await connection.recv()
        connection.transport.abort()

    async with face.serve(leave, "localhost", 0) as server:
        with pytest.raises(ValueError) as caught:
            await fail(server)
    assert "fail" in [entry.name for entry in caught.traceback]


def test_tracebacks_are_forgotten_with_those_of_causes() -> None:
    try:
        try:
            raise KeyError("theirs")
        except KeyError:
            raise EOFError("ours")  # noqa: B904
    except EOFError as exc:
        cause = exc
    error = InvalidHandshake("ours")
    error.__cause__ = cause
    context = cause.__context__
    forget_tracebacks(error)
    assert cause.__traceback__ is cause.__context__ is None
    assert context is not None
    assert context.__traceback__ is not None
    cause.__cause__ = error
    forget_tracebacks(error)


@pytest.mark.parametrize("given", [False, True])
async def test_a_logger_with_additions_is_kept(
    face: Face, caplog: pytest.LogCaptureFixture, given: bool
) -> None:
    """They would be missed in what is logged later."""
    caplog.set_level(logging.INFO, "websockets")
    logger: Any = logging.getLogger("websockets.client")
    if given:
        logger = logging.LoggerAdapter(logger, {"user": "-"})
    async with face.serve(echo, "localhost", 0) as server:
        async with face.connect(uri_of(server), logger=logger) as client:
            client.logger.extra["user"] = "Ada"
    client.logger.info("bye")
    assert caplog.records[-1].user == "Ada"  # type: ignore[attr-defined]
    assert caplog.records[-1].websocket is client  # type: ignore[attr-defined]


async def test_the_logger_comes_back(
    face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "websockets")
    async with face.serve(echo, "localhost", 0) as server:
        async with face.connect(uri_of(server)) as client:
            pass
    client.logger.info("bye")
    assert caplog.records[-1].websocket is client  # type: ignore[attr-defined]
