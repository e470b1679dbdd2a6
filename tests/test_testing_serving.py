"""Servers and connections in memory are as those on sockets, but for the sockets."""

from __future__ import annotations

from typing import Any

import pytest

import websockets
from faces.support import Face, echo
from websockets import testing
from websockets.asyncio.server import serve as modern_serve
from websockets.testing import VirtualClock, pair, serve, wire_of

USING = {"classic": websockets.serve, "modern": modern_serve}


async def test_echo(face: Face) -> None:
    async with serve(echo, using=USING[face.name]) as server:
        async with server.connect("/chat") as websocket:
            for message in "hi", b"hi", "x" * 1_000_000:
                await websocket.send(message)
                assert await websocket.recv() == message
            assert websocket.request.path == "/chat"
        assert len(server.wires) == 1


async def test_pair(face: Face) -> None:
    async with pair(using=USING[face.name]) as (client, server):
        await client.send("hi")
        assert await server.recv() == "hi"
        assert wire_of(client) is wire_of(server)
    assert client.close_code == server.close_code == 1000


async def test_no_socket_is_made(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError

    with monkeypatch.context() as patch:
        patch.setattr("socket.socket", refuse)
        async with testing.network():
            async with face.serve(echo, "chat.example", 80):
                async with face.connect("ws://chat.example/") as websocket:
                    await websocket.send("hi")
                    assert await websocket.recv() == "hi"
                with pytest.raises(ConnectionRefusedError, match="nobody listens on"):
                    await face.connect("ws://localhost/")


async def test_a_virtual_hour(clock: VirtualClock) -> None:
    async with pair() as (client, server):
        wire_of(client).delay(0.25)
        await clock.advance(3610)
        assert client.open
        assert server.latency == pytest.approx(0.5)
        wire_of(client).stall()
        with pytest.raises(websockets.ConnectionClosedError):
            await client.recv()
        # Pings go out every 20 seconds; one isn't answered for 20, nor is a close
        # frame for 10.
        assert clock.elapsed == 3650
