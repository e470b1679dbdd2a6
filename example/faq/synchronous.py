"""Use a connection without async and await. Start echo_server.py first.

FAQ: Can I use websockets synchronously, without async / await?

Each call runs the event loop until it is done. Between calls nothing happens:
pings aren't answered, so don't let the connection wait for long.

Run: python example/faq/synchronous.py [port]
"""

from __future__ import annotations

import asyncio
import sys

import websockets


async def connect(uri: str) -> websockets.WebSocketClientProtocol:
    return await websockets.connect(uri)


def main(port: int = 8765) -> None:
    with asyncio.Runner() as runner:
        websocket = runner.run(connect(f"ws://localhost:{port}"))
        try:
            runner.run(websocket.send("Hello!"))
            print(runner.run(websocket.recv()))
        finally:
            runner.run(websocket.close())


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
