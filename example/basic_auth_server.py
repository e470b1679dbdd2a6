"""Ask clients for a user name and a password. basic_auth_client.py has them.

Passwords are only as safe as the connection: use TLS, as in tls_server.py, for
more than a try on one machine.

Run: python example/basic_auth_server.py [port]
"""

from __future__ import annotations

import asyncio
import sys

import websockets


async def greet(websocket: websockets.BasicAuthWebSocketServerProtocol) -> None:
    await websocket.send(f"Hello, {websocket.username}!")


async def main(port: int = 8765) -> None:
    async with websockets.serve(
        greet,
        "localhost",
        port,
        create_protocol=websockets.basic_auth_protocol_factory(
            realm="example", credentials=("ada", "enchantress")
        ),
    ) as server:
        print(f"Listening on ws://localhost:{port}")
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
