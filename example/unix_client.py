"""Connect to a Unix socket. Start unix_server.py first, in the same directory.

Run: python example/unix_client.py [path]
"""

from __future__ import annotations

import asyncio
import sys

import websockets


async def main(path: str = "example.sock") -> None:
    async with websockets.unix_connect(path) as websocket:
        await websocket.send("Ada")
        print(await websocket.recv())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
