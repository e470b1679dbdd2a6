"""Log in with a user name and a password. Start basic_auth_server.py first.

Run: python example/basic_auth_client.py [port]
"""

from __future__ import annotations

import asyncio
import sys

import websockets


async def main(port: int = 8765) -> None:
    async with websockets.connect(f"ws://ada:enchantress@localhost:{port}") as ws:
        print(await ws.recv())

    try:
        await websockets.connect(f"ws://ada:wrong@localhost:{port}")
    except websockets.InvalidStatusCode as exc:
        print("With a wrong password:", exc)


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
