"""Send each line that you type, and print what comes back.

Start echo_server.py first. End with Ctrl-D (Ctrl-Z and Enter on Windows).

Run: python example/echo_client.py [port]
"""

from __future__ import annotations

import asyncio
import sys

import websockets


async def main(port: int = 8765) -> None:
    async with websockets.connect(f"ws://localhost:{port}") as websocket:
        # A thread waits for the keyboard; meanwhile, pings are answered.
        while line := await asyncio.to_thread(sys.stdin.readline):
            await websocket.send(line.rstrip("\n"))
            print("<", await websocket.recv())


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
