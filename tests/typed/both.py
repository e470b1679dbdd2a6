"""A program of the modern era, on the top-level names, which are classic."""

from __future__ import annotations

import asyncio
from typing import assert_type

import websockets
from websockets import Request, Response


async def handler(websocket: websockets.WebSocketServerProtocol) -> None:
    assert_type(websocket.request, Request | None)
    assert_type(await websocket.recv(decode=True), str)
    assert_type(websocket.state, websockets.State)


async def process_request(
    connection: websockets.WebSocketServerProtocol, request: Request
) -> Response | None:
    return connection.respond(404, "not here\n") if request.path != "/" else None


@websockets.modern_hook
def select_subprotocol(c: object, offered: list[str]) -> websockets.Subprotocol | None:
    return None


def process_response(connection: object, request: Request, response: Response) -> None:
    response.headers["X-Extra"] = "1"


async def main() -> None:
    async with websockets.serve(
        handler,
        "localhost",
        8765,
        process_request=process_request,
        process_response=process_response,
        max_size=(2**20, 2**16),
        write_limit=(2**15, 2**12),
    ) as server:
        assert_type(server.connections, set[websockets.WebSocketServerProtocol])
        server.close(close_connections=False)
    async with websockets.connect(
        lambda: "ws://localhost:8765", additional_headers={"X-Extra": "1"}
    ) as websocket:
        assert_type(await websocket.recv(decode=False), bytes)


asyncio.run(main())
