"""Begin each log message with the connection's id and the client's address.

The address comes from X-Forwarded-For, which a reverse proxy sets. Believe that
header only if the clients can't reach the server otherwise.

Run: python example/logging/connection_id_server.py [port]
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import websockets


class LoggerAdapter(logging.LoggerAdapter[logging.Logger]):
    """Add connection ID and client IP address to messages."""

    def process(
        self, msg: str, kwargs: MutableMapping[str, Any]
    ) -> tuple[str, MutableMapping[str, Any]]:
        # Records about the server itself have no connection.
        if websocket := kwargs.get("extra", {}).get("websocket"):
            address = websocket.request_headers.get("X-Forwarded-For")
            msg = f"{websocket.id} {address} {msg}"
        return msg, kwargs


async def echo(websocket: websockets.WebSocketServerProtocol) -> None:
    async for message in websocket:
        await websocket.send(message)


async def main(port: int = 8765) -> None:
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO)

    logger = LoggerAdapter(logging.getLogger("websockets.server"))
    async with websockets.serve(echo, "localhost", port, logger=logger) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
