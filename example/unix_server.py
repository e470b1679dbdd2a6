"""Listen on a Unix socket: a file that programs of the same machine connect to.

Run: python example/unix_server.py [path]
"""

from __future__ import annotations

import asyncio
import sys

import websockets


async def greet(websocket: websockets.WebSocketServerProtocol) -> None:
    name = await websocket.recv()
    await websocket.send(f"Hello, {name}!")


async def main(path: str = "example.sock") -> None:
    async with websockets.unix_serve(greet, path) as server:
        print(f"Listening on {path}")
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
