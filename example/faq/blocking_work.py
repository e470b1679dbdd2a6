"""Do slow work without keeping other clients waiting: let a thread do it.

FAQ: Why can only one client connect at a time?

Run: python example/faq/blocking_work.py [port]
"""

from __future__ import annotations

import asyncio
import hashlib
import sys

import websockets


def digest(text: str) -> str:
    """Take a good part of a second, without ever awaiting."""
    return hashlib.pbkdf2_hmac("sha256", text.encode(), b"salt", 500_000).hex()


async def handler(websocket: websockets.WebSocketServerProtocol) -> None:
    async for message in websocket:
        if message == "ping":
            await websocket.send("pong")
        else:
            # Called directly, digest() would stop the server for everyone.
            await websocket.send(await asyncio.to_thread(digest, str(message)))


async def ask(uri: str, question: str) -> None:
    async with websockets.connect(uri) as websocket:
        await websocket.send(question)
        print(question, "->", await websocket.recv())


async def main(port: int = 8765) -> None:
    uri = f"ws://localhost:{port}"
    async with websockets.serve(handler, "localhost", port):
        await asyncio.gather(ask(uri, "slow question"), ask(uri, "ping"))


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
