"""Change how connections behave: subclass them, with arguments of your own.

create_protocol takes a subclass, or anything that can be called like one.

Run: python example/custom_protocol.py [port]
"""

from __future__ import annotations

import asyncio
import functools
import http
import sys
from typing import Any

import websockets
from websockets.legacy.server import HTTPResponse


class TokenProtocol(websockets.WebSocketServerProtocol):
    """A server's connection for clients that have a token."""

    def __init__(self, *args: Any, tokens: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tokens = tokens
        self.user = ""

    async def process_request(
        self, path: str, request_headers: websockets.Headers
    ) -> HTTPResponse | None:
        token = request_headers.get("X-Token", "")
        if token not in self.tokens:
            return http.HTTPStatus.FORBIDDEN, [], b"Show your token.\n"
        self.user = self.tokens[token]
        return await super().process_request(path, request_headers)


class CountingProtocol(websockets.WebSocketClientProtocol):
    """A client's connection that counts what it receives."""

    received = 0

    async def recv(self) -> websockets.Data:
        message = await super().recv()
        self.received += 1
        return message


async def greet(websocket: TokenProtocol) -> None:
    await websocket.send("Hello!")
    await websocket.send(f"You are {websocket.user}.")


async def main(port: int = 8765) -> None:
    uri = f"ws://localhost:{port}"
    protocol = functools.partial(TokenProtocol, tokens={"4711": "Ada"})

    async with websockets.serve(greet, "localhost", port, create_protocol=protocol):
        async with websockets.connect(
            uri, extra_headers={"X-Token": "4711"}, create_protocol=CountingProtocol
        ) as websocket:
            async for message in websocket:
                print(message)
            print("Received:", websocket.received)

        try:
            await websockets.connect(uri)
        except websockets.InvalidStatusCode as exc:
            print("Without a token:", exc)


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
