"""Have callbacks for what happens on a connection, if you must.

FAQ: Are there onopen, onmessage, onerror, and onclose callbacks?

There are none. This is all it takes to call them, and why they aren't needed:
each of them is a place in the function run().

Run: python example/faq/callbacks.py [port]
"""

from __future__ import annotations

import asyncio
import sys

import websockets


class Listener:
    """What to do with a connection; made to be subclassed."""

    async def on_open(self, websocket: websockets.WebSocketClientProtocol) -> None:
        print("open")
        await websocket.send("Hello!")

    async def on_message(
        self, websocket: websockets.WebSocketClientProtocol, message: websockets.Data
    ) -> None:
        print("message:", message)
        await websocket.close()

    async def on_error(self, exc: Exception) -> None:
        print("error:", exc)

    async def on_close(self, code: int | None, reason: str | None) -> None:
        print("close:", code, reason)


async def run(uri: str, listener: Listener) -> None:
    try:
        async with websockets.connect(uri) as websocket:
            await listener.on_open(websocket)
            async for message in websocket:
                await listener.on_message(websocket, message)
    except (OSError, websockets.WebSocketException) as exc:
        await listener.on_error(exc)
    else:
        await listener.on_close(websocket.close_code, websocket.close_reason)


async def echo(websocket: websockets.WebSocketServerProtocol) -> None:
    async for message in websocket:
        await websocket.send(message)


async def main(port: int = 8765) -> None:
    async with websockets.serve(echo, "localhost", port):
        await run(f"ws://localhost:{port}", Listener())
    # The server is gone.
    await run(f"ws://localhost:{port}", Listener())


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
