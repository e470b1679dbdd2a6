"""Wait for a message, but not for ever. No message is lost when time is over.

FAQ: How do I set a timeout on recv()?

Run: python example/faq/recv_timeout.py [port]
"""

from __future__ import annotations

import asyncio
import sys

import websockets


async def handler(websocket: websockets.WebSocketServerProtocol) -> None:
    """Answer only when asked for the second time."""
    await websocket.recv()
    await websocket.recv()
    await websocket.send("Oh, sorry, I'm here.")


async def main(port: int = 8765) -> None:
    async with (
        websockets.serve(handler, "localhost", port),
        # The handshake has its own: open_timeout, 10 seconds unless you say so.
        websockets.connect(f"ws://localhost:{port}", open_timeout=5) as websocket,
    ):
        await websocket.send("Is anybody there?")
        try:
            async with asyncio.timeout(0.1):
                print(await websocket.recv())
        except TimeoutError:
            print("No answer. Asking again.")
            await websocket.send("Hello?")

        # The same in one line, for whoever prefers that.
        print(await asyncio.wait_for(websocket.recv(), timeout=10))


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
