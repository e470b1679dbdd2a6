"""Echo with ``websockets.asyncio.server``, PyPI's or ours."""

from __future__ import annotations

from harness import MAX_SIZE, Options, Server, run

from websockets.asyncio.server import ServerConnection, serve


async def echo(ws: ServerConnection) -> None:
    """Send every message back."""
    async for message in ws:
        await ws.send(message)


async def start(options: Options) -> Server:
    """Start the server."""
    return await serve(
        echo,
        options.host,
        0,
        compression=options.compression,
        max_size=MAX_SIZE,
        ping_interval=None,
    )


if __name__ == "__main__":
    run(start)
