"""Echo of bytes, no WebSocket: what the event loop itself allows."""

from __future__ import annotations

import asyncio
from typing import cast

from harness import Options, Server, run


class Echo(asyncio.Protocol):
    """Send all bytes back as they come."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Send the bytes back."""
        self.transport.write(data)


async def start(options: Options) -> Server:
    """Start the server."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(Echo, options.host, 0, ssl=options.tls)


if __name__ == "__main__":
    run(start)
