"""Echo with ``websockets.legacy.server``, PyPI's or ours."""

from __future__ import annotations

import warnings

from harness import MAX_SIZE, Options, Server, run

with warnings.catch_warnings():
    # Upstream deprecates it; here it is measured.
    warnings.simplefilter("ignore", DeprecationWarning)
    from websockets.legacy.server import WebSocketServerProtocol, serve


async def echo(ws: WebSocketServerProtocol) -> None:
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
