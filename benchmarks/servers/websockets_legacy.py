"""``websockets.legacy.server``, PyPI's or ours."""

from __future__ import annotations

import warnings

from handlers import choose_handler
from harness import MAX_SIZE, Options, Server, run

with warnings.catch_warnings():
    # Upstream deprecates it; here it is measured.
    warnings.simplefilter("ignore", DeprecationWarning)
    from websockets.exceptions import ConnectionClosed
    from websockets.legacy.server import broadcast, serve


async def start(options: Options) -> Server:
    """Start the server."""
    handler = choose_handler(options.task, ConnectionClosed, broadcast)
    return await serve(
        handler,
        options.host,
        0,
        ssl=options.tls,
        compression=options.compression,
        max_size=MAX_SIZE,
        ping_interval=options.ping_interval,
    )


if __name__ == "__main__":
    run(start)
