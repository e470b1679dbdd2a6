"""The other process: it is killed, cut off, or told to end.

As a client, it keeps connections to a server and sends numbered messages on each. As a
server, it does so on each connection that comes, echoes orders not to, and ends on
SIGTERM as the documentation shows it; then it prints what it has left behind.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib
import json
import logging
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from watch import Watch

from websockets.exceptions import ConnectionClosed


async def chatter(connection: Any) -> None:
    """Send numbered messages, and receive whatever comes."""
    receiving = asyncio.create_task(drain(connection))
    number = 0
    with contextlib.suppress(ConnectionClosed):
        while True:
            await connection.send(f"{number} {' ' * (number * 37 % 3000)}")
            number += 1
            if number % 20 == 0:
                await asyncio.sleep(0.01)
    await receiving


async def drain(connection: Any) -> None:
    """Receive until the end."""
    with contextlib.suppress(ConnectionClosed):
        async for _ in connection:
            pass


async def echo(connection: Any) -> None:
    """Send back what comes."""
    async for message in connection:
        await connection.send(message)


async def connect(options: argparse.Namespace) -> None:
    """Keep connections to a server."""
    module = importlib.import_module(options.module)

    async def live() -> None:
        uri = f"ws://{options.host}:{options.port}/"
        async with module.connect(uri, proxy=None, ping_interval=None) as connection:
            await chatter(connection)

    await asyncio.gather(*(live() for _ in range(options.connections)))


async def serve(options: argparse.Namespace) -> None:
    """Serve until SIGTERM."""
    module = importlib.import_module(options.module)
    handler = echo if options.echo else chatter
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    watch = Watch()
    async with module.serve(
        handler, options.host, options.port, ping_interval=None
    ) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await stop.wait()
    await watch.settle()
    print(json.dumps(watch.figures()), flush=True)


def main() -> None:
    """Be a server or clients, as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("role", choices=["server", "clients"])
    parser.add_argument("module")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--echo", action="store_true")
    options = parser.parse_args()
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    asyncio.run({"server": serve, "clients": connect}[options.role](options))


if __name__ == "__main__":
    main()
