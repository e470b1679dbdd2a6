"""Close connections properly, on a server and on a client, and learn why.

FAQ: How do I close a connection properly?

Run: python example/faq/closing.py [port]
"""

from __future__ import annotations

import asyncio
import sys

import websockets


async def handler(websocket: websockets.WebSocketServerProtocol) -> None:
    question = await websocket.recv()
    if question == "Who are you?":
        # To say why: codes from 4000 to 4999 are free for applications.
        await websocket.close(4000, "that is secret")
        return
    await websocket.send("42")
    # The connection is closed, with code 1000, when the handler returns.


async def main(port: int = 8765) -> None:
    uri = f"ws://localhost:{port}"
    async with websockets.serve(handler, "localhost", port):
        # The connection is closed at the end of the block, also on an exception.
        async with websockets.connect(uri) as websocket:
            await websocket.send("What is six times seven?")
            print(await websocket.recv())
        print("Closed with code", websocket.close_code)

        # Without a block, it's yours to close; here the server is faster.
        websocket = await websockets.connect(uri)
        try:
            await websocket.send("Who are you?")
            await websocket.recv()
        except websockets.ConnectionClosed as exc:
            print("Closed:", exc)
        finally:
            await websocket.close()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
