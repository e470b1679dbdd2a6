"""Log as JSON, with the connection's id and address in each event about it.

Run: python example/logging/json_server.py [port]
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import MutableMapping
from typing import Any

from json_log_formatter import JSONFormatter

import websockets


class LoggerAdapter(logging.LoggerAdapter[logging.Logger]):
    """Put connection ID and client IP address into event_data."""

    def process(
        self, msg: str, kwargs: MutableMapping[str, Any]
    ) -> tuple[str, MutableMapping[str, Any]]:
        # Records about the server itself have no connection.
        if websocket := kwargs.get("extra", {}).get("websocket"):
            kwargs["extra"]["event_data"] = {
                "connection_id": str(websocket.id),
                "remote_addr": websocket.remote_address[0],
            }
        return msg, kwargs


async def echo(websocket: websockets.WebSocketServerProtocol) -> None:
    async for message in websocket:
        await websocket.send(message)


async def main(port: int = 8765) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(JSONFormatter())
    logging.basicConfig(handlers=[handler], level=logging.INFO)

    logger = LoggerAdapter(logging.getLogger("websockets.server"))
    async with websockets.serve(echo, "localhost", port, logger=logger) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
