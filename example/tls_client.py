"""Connect with TLS to a server with a certificate of one's own making.

Start tls_server.py first. Where the certificate comes from a certificate
authority, leave out the ssl argument: a wss:// URI is enough.

Run: python example/tls_client.py [port [directory of the certificate]]
"""

from __future__ import annotations

import asyncio
import pathlib
import ssl
import sys

import certificate

import websockets


async def main(port: str = "8765", directory: str = str(certificate.HERE)) -> None:
    trusted = pathlib.Path(directory) / "certificate.pem"
    context = ssl.create_default_context(cafile=trusted)
    uri = f"wss://localhost:{port}"

    async with websockets.connect(uri, ssl=context) as websocket:
        await websocket.send("Ada")
        print(await websocket.recv())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
