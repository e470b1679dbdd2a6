"""Do two things in parallel on one connection: receive, and send.

FAQ: How do I do two things in parallel?

Run: python example/faq/parallel.py [port]
"""

from __future__ import annotations

import asyncio
import sys

import websockets


async def consume(websocket: websockets.WebSocketServerProtocol) -> None:
    async for message in websocket:
        print("The server received:", message)


async def produce(websocket: websockets.WebSocketServerProtocol) -> None:
    while True:
        await websocket.send("tick")
        await asyncio.sleep(0.01)


async def handler(websocket: websockets.WebSocketServerProtocol) -> None:
    # produce() raises ConnectionClosed when the client has gone; the task group
    # then cancels what is left, so that no task outlives the connection.
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(consume(websocket))
            tasks.create_task(produce(websocket))
    except* websockets.ConnectionClosed:
        print("The client has gone")


async def main(port: int = 8765) -> None:
    async with (
        websockets.serve(handler, "localhost", port),
        websockets.connect(f"ws://localhost:{port}") as websocket,
    ):
        for word in ("one", "two", "three"):
            print("The client received:", await websocket.recv())
            await websocket.send(word)


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
