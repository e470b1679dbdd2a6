"""A chat for everyone who opens http://localhost:8765/ in a browser.

The page is served on the same port as the chat. A client's first message is the
name of the person, each one after that is something this person says.

Run: python example/chat_server.py [port]
"""

from __future__ import annotations

import asyncio
import http
import pathlib
import sys

import websockets
from websockets.legacy.server import HTTPResponse

PAGE = pathlib.Path(__file__).with_name("chat.html").read_bytes()

people: set[websockets.WebSocketServerProtocol] = set()


async def chat(websocket: websockets.WebSocketServerProtocol) -> None:
    name = await websocket.recv()
    people.add(websocket)
    try:
        websockets.broadcast(people, f"{name} has joined")
        async for message in websocket:
            websockets.broadcast(people, f"{name}: {message}")
    finally:
        people.remove(websocket)
        websockets.broadcast(people, f"{name} has left")


async def process_request(
    path: str, request_headers: websockets.Headers
) -> HTTPResponse | None:
    if path == "/":
        return http.HTTPStatus.OK, {"Content-Type": "text/html; charset=utf-8"}, PAGE
    if path != "/chat":
        return http.HTTPStatus.NOT_FOUND, {}, b"There is nothing here.\n"
    return None  # Go on with the handshake.


async def main(port: int = 8765) -> None:
    async with websockets.serve(
        chat,
        "localhost",
        port,
        process_request=process_request,
        # Our own page and programs may connect; pages of other sites may not.
        origins=[websockets.Origin(f"http://localhost:{port}"), None],
    ) as server:
        print(f"Listening on http://localhost:{port}/")
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
