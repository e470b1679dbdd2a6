"""Don't verify the server's certificate. Start tls_server.py first.

FAQ: How do I disable TLS/SSL certificate verification?

Whoever is between you and the server can then read and change everything. To
trust one certificate of your own making, tls_client.py shows the better way.

Run: python example/faq/no_verification.py [port]
"""

from __future__ import annotations

import asyncio
import ssl
import sys

import websockets


async def main(port: int = 8765) -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE

    async with websockets.connect(f"wss://localhost:{port}", ssl=context) as websocket:
        await websocket.send("Ada")
        print(await websocket.recv())


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
