"""Get over a connection that is lost without a goodbye (close code 1006).

FAQ: What does ConnectionClosedError: code = 1006 mean?

Run: python example/faq/connection_lost.py [port]
"""

from __future__ import annotations

import asyncio
import sys

import websockets


async def handler(websocket: websockets.WebSocketServerProtocol) -> None:
    try:
        async for message in websocket:
            print("The server received:", message)
    except websockets.ConnectionClosedError as exc:
        # Not caught, it would be logged as an error of this handler.
        print("The client is lost:", exc)
    print("The server's close code:", websocket.close_code)


async def main(port: int = 8765) -> None:
    async with websockets.serve(handler, "localhost", port):
        websocket = await websockets.connect(f"ws://localhost:{port}")
        await websocket.send("Hello!")
        # What a crash, a flat battery or an impatient proxy looks like.
        websocket.transport.abort()
        await websocket.wait_closed()
        print("The client's close code:", websocket.close_code)


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
