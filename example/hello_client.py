"""Say your name, and be greeted. Start hello_server.py first.

Run: python example/hello_client.py [port]
"""

from __future__ import annotations

import asyncio
import sys

import websockets


async def main(name: str, port: int = 8765) -> None:
    async with websockets.connect(f"ws://localhost:{port}") as websocket:
        await websocket.send(name)
        print(await websocket.recv())


if __name__ == "__main__":
    # Asked before connecting: input() would keep the event loop from running.
    name = input("What's your name? ")
    asyncio.run(main(name, *map(int, sys.argv[1:])))
