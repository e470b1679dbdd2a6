"""Keep idle connections open, and find out about those that are dead.

FAQ: How do I keep idle connections open?
FAQ: How do I respond to pings?

There is nothing to do: pings are sent every 20 seconds, and answered always.
This shows what can be changed, and how to measure the latency.

Run: python example/faq/keepalive.py [port]
"""

from __future__ import annotations

import asyncio
import sys

import websockets


async def handler(websocket: websockets.WebSocketServerProtocol) -> None:
    # Nothing to receive and nothing to send: wait for the end.
    await websocket.wait_closed()


async def main(port: int = 8765) -> None:
    async with (
        # A ping every 10 seconds, and 30 for a sign of life after it.
        websockets.serve(handler, "localhost", port, ping_interval=10, ping_timeout=30),
        # No pings from this side; those of the server are answered all the same.
        websockets.connect(f"ws://localhost:{port}", ping_interval=None) as websocket,
    ):
        pong = await websocket.ping()
        print(f"The pong came after {await pong * 1000:.1f} ms")


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
