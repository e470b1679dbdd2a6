"""Echo with this repository's library: the classic face, at the top level."""

from __future__ import annotations

from harness import MAX_SIZE, Options, Server, run

import websockets


async def echo(ws: websockets.WebSocketServerProtocol) -> None:
    """Send every message back."""
    async for message in ws:
        await ws.send(message)


async def start(options: Options) -> Server:
    """Start the server."""
    return await websockets.serve(
        echo,
        options.host,
        0,
        compression=options.compression,
        max_size=MAX_SIZE,
        ping_interval=None,
    )


if __name__ == "__main__":
    run(start)
