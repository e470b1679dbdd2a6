"""Connect again whenever the connection is lost.

FAQ: How do I reconnect automatically when the connection drops?

Run: python example/faq/reconnect.py [port]
"""

from __future__ import annotations

import asyncio
import itertools
import sys

import websockets

numbers = itertools.count(1)


async def handler(websocket: websockets.WebSocketServerProtocol) -> None:
    """Be a server that breaks down after each message."""
    await websocket.send(f"message {next(numbers)}")
    await websocket.close(1011, "out of order")


class connect(websockets.connect):
    """Wait less between attempts than the usual seconds, so that you needn't."""

    BACKOFF_INITIAL = BACKOFF_MIN = 0.1


async def main(port: int = 8765) -> None:
    async with websockets.serve(handler, "localhost", port):
        async for websocket in connect(f"ws://localhost:{port}"):
            try:
                async for message in websocket:
                    print(message)
                    if message == "message 3":
                        return
            except websockets.ConnectionClosed as exc:
                print("Connecting again:", exc)


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
