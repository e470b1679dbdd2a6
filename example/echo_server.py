"""Send back every message, as long as the client wants.

A connection lives as long as its handler runs: loop over the messages, or the
connection is closed after the first one.

Run: python example/echo_server.py [port]
"""

from __future__ import annotations

import asyncio
import sys

import websockets


async def echo(websocket: websockets.WebSocketServerProtocol) -> None:
    async for message in websocket:
        await websocket.send(message)


async def main(port: int = 8765) -> None:
    async with websockets.serve(echo, "localhost", port) as server:
        print(f"Listening on ws://localhost:{port}")
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
