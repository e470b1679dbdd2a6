"""Answer the health check of a load balancer: GET /healthz.

Run: python example/health_check_server.py [port]
Try: curl http://localhost:8765/healthz
"""

from __future__ import annotations

import asyncio
import http
import sys

import websockets
from websockets.legacy.server import HTTPResponse


async def echo(websocket: websockets.WebSocketServerProtocol) -> None:
    async for message in websocket:
        await websocket.send(message)


async def process_request(
    path: str, request_headers: websockets.Headers
) -> HTTPResponse | None:
    if path == "/healthz":
        return http.HTTPStatus.OK, [], b"OK\n"
    return None  # Go on with the handshake.


async def main(port: int = 8765) -> None:
    async with websockets.serve(
        echo, "localhost", port, process_request=process_request
    ) as server:
        print(f"Listening on ws://localhost:{port}")
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
