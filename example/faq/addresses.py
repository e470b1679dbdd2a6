"""Choose the addresses to listen on, and see those of the clients.

FAQ: How do I get the IP address of the client connecting to my server?
FAQ: How do I set which IP addresses my server listens to?

Run: python example/faq/addresses.py [port]
"""

from __future__ import annotations

import asyncio
import sys

import websockets


async def handler(websocket: websockets.WebSocketServerProtocol) -> None:
    address = websocket.remote_address[0]
    # Behind a reverse proxy, that is the proxy. Believe this header only if nobody
    # can reach the server without passing through it.
    forwarded = websocket.request_headers.get("X-Forwarded-For", "nobody")
    await websocket.send(f"You are {address}, on behalf of {forwarded}.")


async def main(port: int = 8765) -> None:
    # One address or several; None, or no argument, stands for all there are.
    addresses = ["127.0.0.1"]

    async with websockets.serve(handler, addresses, port) as server:
        for sock in server.sockets:
            print("Listening on", *sock.getsockname())

        async with websockets.connect(
            f"ws://127.0.0.1:{port}", extra_headers={"X-Forwarded-For": "192.0.2.1"}
        ) as websocket:
            print(await websocket.recv())


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
