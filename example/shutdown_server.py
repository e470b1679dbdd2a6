"""Stop a server cleanly on SIGTERM, on Unix.

Connections are closed with code 1001, "going away". Handlers come to their end.

Run: python example/shutdown_server.py [port]
"""

from __future__ import annotations

import asyncio
import signal
import sys

import websockets


async def echo(websocket: websockets.WebSocketServerProtocol) -> None:
    async for message in websocket:
        await websocket.send(message)
    print("A connection was closed with code", websocket.close_code)


async def main(port: int = 8765) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    async with websockets.serve(echo, "localhost", port):
        print(f"Listening on ws://localhost:{port}")
        await stop.wait()

    print("Stopped")


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
