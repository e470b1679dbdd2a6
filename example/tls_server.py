"""Encrypt connections: a server for wss:// URIs.

It makes a certificate for localhost (see certificate.py), which tls_client.py
trusts. For a server that others use, get one from a certificate authority.

Run: python example/tls_server.py [port [directory of the certificate]]
"""

from __future__ import annotations

import asyncio
import pathlib
import ssl
import sys

import certificate

import websockets


async def greet(websocket: websockets.WebSocketServerProtocol) -> None:
    name = await websocket.recv()
    await websocket.send(f"Hello, {name}!")


async def main(port: str = "8765", directory: str = str(certificate.HERE)) -> None:
    certificate.make(directory)
    path = pathlib.Path(directory)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path / "certificate.pem", path / "key.pem")

    async with websockets.serve(greet, "localhost", int(port), ssl=context) as server:
        print(f"Listening on wss://localhost:{port}")
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
