"""The server that Autobahn's fuzzing client tests: it echoes every message.

It runs in an environment with our library. It prints the port it listens on, and
stops when its standard input ends.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument("--face", choices=["classic", "modern"], default="classic")
    return parser


def find_serve(face: str) -> Any:
    """Return a face's ``serve``."""
    if face == "modern":
        from websockets.asyncio.server import serve
    else:
        from websockets.legacy.server import serve
    return serve


async def echo(connection: Any) -> None:
    """Send every message back."""
    async for message in connection:
        await connection.send(message)


async def run(face: str) -> None:
    """Serve until the standard input ends."""
    # Some cases have messages of 16 MiB.
    options = {"max_size": None, "ping_interval": None}
    async with find_serve(face)(echo, "127.0.0.1", 0, **options) as server:
        print(next(iter(server.sockets)).getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    """Run the server on the event loop that the command line names."""
    options = make_parser().parse_args()
    factory: Any = None
    if options.loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(run(options.face))


if __name__ == "__main__":
    main()
