"""A program with mistakes: each line marked so must be an error to type checkers."""

from __future__ import annotations

import asyncio

from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, serve


async def handler(connection: ServerConnection) -> None:
    text: str = await connection.recv()  # wrong
    data: bytes = await connection.recv(decode=True)  # wrong
    await connection.ping(1)  # wrong
    await connection.close(code="1000")  # wrong
    print(connection.open)  # wrong
    print(text, data)


def process_request(path: str, headers: dict[str, str]) -> None: ...


async def main() -> None:
    serve(handler, "localhost", "8765")  # wrong
    serve(handler, process_request=process_request)  # wrong
    serve(main)  # wrong
    server: Server = await connect("ws://localhost")  # wrong
    async with connect("ws://localhost", max_size="1") as websocket:  # wrong
        await websocket.nothing()  # wrong
    print(server)


asyncio.run(main())
