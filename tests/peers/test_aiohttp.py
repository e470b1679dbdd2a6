"""Exchanges with aiohttp, as a client and as a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from . import import_peer
from .exchanges import (
    BINARY,
    LARGE,
    REDUNDANT,
    TEXT,
    PeerCompresses,
    PeerIsServer,
    PeerSendsPings,
    Seen,
)

aiohttp = import_peer("aiohttp", "aiohttp")
web = import_peer("aiohttp.web", "aiohttp")
Type = aiohttp.WSMsgType


class TestAiohttpIsClient(PeerCompresses, PeerSendsPings):
    """aiohttp can't send fragments."""

    async def run(self, uri: str, name: str, *arguments: str) -> Any:
        protocols = ["soap", "chat"] if name == "subprotocol" else []
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(
                uri, protocols=protocols, compress=15, autoping=False
            ) as websocket,
        ):
            return await getattr(self, name)(websocket, *arguments)

    async def text(self, websocket: Any) -> Any:
        await websocket.send_str(TEXT)
        return await websocket.receive_str()

    async def empty(self, websocket: Any) -> Any:
        await websocket.send_str("")
        return await websocket.receive_str()

    async def binary(self, websocket: Any) -> Any:
        await websocket.send_bytes(BINARY)
        return (await websocket.receive_bytes()).hex()

    async def large(self, websocket: Any) -> Any:
        await websocket.send_bytes(LARGE)
        message = await websocket.receive_bytes()
        return [len(message), message == LARGE]

    async def compressed(self, websocket: Any) -> Any:
        for _ in range(2):
            await websocket.send_str(REDUNDANT)
        answers = [await websocket.receive_str() for _ in range(2)]
        return [bool(websocket.compress), answers == [REDUNDANT, REDUNDANT]]

    async def fragments_from_us(self, websocket: Any) -> Any:
        await websocket.send_str("/fragments one two three")
        return await websocket.receive_str()

    async def ping_from_us(self, websocket: Any) -> Any:
        await websocket.send_str("/ping are you there?")
        ping = await websocket.receive()
        assert ping.type is Type.PING
        await websocket.pong(ping.data)
        return await websocket.receive_str()

    async def ping_from_peer(self, websocket: Any) -> Any:
        await websocket.ping(b"are you there?")
        pong = await websocket.receive()
        assert pong.type is Type.PONG
        return bytes(pong.data).decode()

    async def subprotocol(self, websocket: Any) -> Any:
        return websocket.protocol

    async def close_from_peer(self, websocket: Any, code: str, reason: str) -> Any:
        await websocket.close(code=int(code), message=reason.encode())

    async def close_from_us(self, websocket: Any, command: str) -> Any:
        await websocket.send_str(command)
        close = await websocket.receive()
        assert close.type is Type.CLOSE
        return [close.data, close.extra]


class AiohttpServer:
    """A server with aiohttp."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Seen] = asyncio.Queue()
        self.uri = ""

    async def seen(self) -> Seen:
        return await self.queue.get()

    async def handler(self, request: Any) -> Any:
        websocket = web.WebSocketResponse(
            protocols=["chat", "superchat"], autoping=False
        )
        await websocket.prepare(request)
        reason = ""
        while True:
            message = await websocket.receive()
            if message.type is Type.CLOSE:
                reason = message.extra
            if message.type in (Type.CLOSE, Type.CLOSED, Type.CLOSING, Type.ERROR):
                break
            await self.answer(websocket, message)
        extensions = ["permessage-deflate"] if websocket.compress else []
        self.queue.put_nowait(
            Seen(websocket.close_code, reason, websocket.ws_protocol, extensions)
        )
        return websocket

    async def answer(self, websocket: Any, message: Any) -> None:
        match message.type, message.data:
            case Type.PING, payload:
                await websocket.pong(payload)
            case Type.PONG, payload:
                await websocket.send_str(f"pong {bytes(payload).decode()}")
            case Type.BINARY, data:
                await websocket.send_bytes(data)
            case _, text if text.startswith("/ping "):
                await websocket.ping(text.removeprefix("/ping ").encode())
            case _, text if text.startswith("/close "):
                code, _, reason = text.removeprefix("/close ").partition(" ")
                await websocket.close(code=int(code), message=reason.encode())
            case _, text:
                await websocket.send_str(text)


class TestAiohttpIsServer(PeerIsServer):
    """aiohttp can't send fragments."""

    @pytest.fixture
    async def peer(self) -> AsyncIterator[AiohttpServer]:
        server = AiohttpServer()
        application = web.Application()
        application.router.add_get("/", server.handler)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0]
        server.uri = f"ws://{host}:{port}/"
        yield server
        await runner.cleanup()
