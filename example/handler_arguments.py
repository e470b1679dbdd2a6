"""Pass more arguments to a handler: bind them with functools.partial.

Run: python example/handler_arguments.py [port]
"""

from __future__ import annotations

import asyncio
import functools
import sys

import websockets


async def translate(
    websocket: websockets.WebSocketServerProtocol, *, words: dict[str, str]
) -> None:
    async for message in websocket:
        await websocket.send(words.get(str(message), "?"))


async def main(port: int = 8765) -> None:
    french = functools.partial(translate, words={"sea": "mer", "land": "terre"})

    async with (
        websockets.serve(french, "localhost", port),
        websockets.connect(f"ws://localhost:{port}") as websocket,
    ):
        for word in ("sea", "land", "sky"):
            await websocket.send(word)
            print(word, "->", await websocket.recv())


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
