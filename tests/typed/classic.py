"""A program of the classic era, on the top-level names."""

from __future__ import annotations

import asyncio
import http
from typing import assert_type

import websockets
from websockets.legacy.server import HTTPResponse


async def handler(websocket: websockets.WebSocketServerProtocol, path: str) -> None:
    assert_type(path, str)
    assert_type(websocket.path, str)
    assert_type(websocket.request_headers, websockets.Headers)
    assert_type(websocket.open, bool)
    async for message in websocket:
        assert_type(message, str | bytes)
        await websocket.send(message)


async def short_handler(websocket: websockets.WebSocketServerProtocol) -> None:
    message = await websocket.recv()
    assert_type(message, str | bytes)
    await websocket.send([message, message])
    pong = await websocket.ping()
    await pong
    await websocket.close(1001, "bye")


async def process_request(
    path: str, request_headers: websockets.Headers
) -> HTTPResponse | None:
    if path == "/health":
        return http.HTTPStatus.OK, [("X-Extra", "1")], b"fine\n"
    return None


def select_subprotocol(
    client: list[websockets.Subprotocol], server: list[websockets.Subprotocol]
) -> websockets.Subprotocol | None:
    return client[0] if client else None


class Protocol(websockets.WebSocketServerProtocol):
    async def process_request(
        self, path: str, request_headers: websockets.Headers
    ) -> HTTPResponse | None:
        return await super().process_request(path, request_headers)


async def client() -> None:
    connecting = websockets.connect(
        "ws://localhost:8765",
        extra_headers={"X-Extra": "1"},
        max_size=2**20,
        max_queue=None,
        close_timeout=1,
    )
    async with connecting as websocket:
        assert_type(websocket, websockets.WebSocketClientProtocol)
        await websocket.send("Hello!")
        assert_type(websocket.close_code, int | None)
    websocket = await websockets.connect("ws://localhost:8765")
    async for websocket in websockets.connect("ws://localhost:8765"):
        try:
            await websocket.send(b"Hello!")
        except websockets.ConnectionClosedError as exc:
            assert_type(exc.code, int)
            assert_type(exc.rcvd, websockets.Close | None)
    try:
        await websockets.connect("ws://localhost:8765")
    except websockets.InvalidStatusCode as exc:
        assert_type(exc.status_code, int)


async def main() -> None:
    async with websockets.serve(
        handler, "localhost", 8765, process_request=process_request
    ) as server:
        assert_type(server, websockets.WebSocketServer)
        websockets.broadcast(server.websockets, "Hello!")
        server.close()
        await server.wait_closed()
    server = await websockets.serve(
        short_handler,
        "localhost",
        8765,
        create_protocol=Protocol,
        extra_headers=lambda path, headers: {"X-Path": path},
    )
    await server.serve_forever()
    await websockets.unix_serve(short_handler, "/tmp/socket")
    await websockets.unix_connect("/tmp/socket")


asyncio.run(main())
