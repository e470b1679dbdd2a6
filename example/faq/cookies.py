"""Read HTTP headers, for example cookies: before and after the opening handshake.

FAQ: How do I get access HTTP headers, for example cookies?

Run: python example/faq/cookies.py [port]
"""

from __future__ import annotations

import asyncio
import http
import http.cookies
import sys

import websockets
from websockets.legacy.server import HTTPResponse


async def process_request(
    path: str, request_headers: websockets.Headers
) -> HTTPResponse | None:
    """Before: refuse clients without a cookie."""
    if "Cookie" not in request_headers:
        return http.HTTPStatus.UNAUTHORIZED, {}, b"Log in first.\n"
    return None  # Go on with the handshake.


async def greet(websocket: websockets.WebSocketServerProtocol) -> None:
    """After: the headers are kept with the connection."""
    cookies = http.cookies.SimpleCookie(websocket.request_headers["Cookie"])
    await websocket.send(f"Hello, {cookies['user'].value}!")


async def main(port: int = 8765) -> None:
    uri = f"ws://localhost:{port}"
    cookie = {"Cookie": "user=Ada; theme=dark"}

    async with websockets.serve(
        greet, "localhost", port, process_request=process_request
    ):
        async with websockets.connect(uri, extra_headers=cookie) as websocket:
            print(await websocket.recv())
            print("The server runs", websocket.response_headers["Server"])

        try:
            await websockets.connect(uri)
        except websockets.InvalidStatusCode as exc:
            print("Without a cookie:", exc)


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
