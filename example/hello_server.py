"""Greet whoever connects. hello_client.py is the other side.

Run: python example/hello_server.py [port]
"""

from __future__ import annotations

import asyncio
import sys

import websockets


async def greet(websocket: websockets.WebSocketServerProtocol) -> None:
    name = await websocket.recv()
    print(f"{name} is here")
    await websocket.send(f"Hello, {name}!")


async def main(port: int = 8765) -> None:
    async with websockets.serve(greet, "localhost", port) as server:
        print(f"Listening on ws://localhost:{port}")
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
