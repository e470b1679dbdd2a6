"""The client that Autobahn's fuzzing server tests: it echoes, case after case.

It runs in an environment with our library.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

#: How long a case may take, in seconds; the longest take a few.
CASE_TIMEOUT = 600.0


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("uri", help="where the fuzzing server is")
    parser.add_argument("agent", help="what the report calls this client")
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument("--face", choices=["classic", "modern"], default="classic")
    return parser


def find_connect(face: str) -> Any:
    """Return a face's ``connect``."""
    if face == "modern":
        from websockets.asyncio.client import connect
    else:
        from websockets.legacy.client import connect
    return connect


async def ask(connect: Any, uri: str) -> int:
    """Return the number that the server sends."""
    async with connect(uri) as connection:
        return int(await connection.recv())


async def run_case(connect: Any, uri: str) -> None:
    """Send every message back, until the connection ends in whatever way."""
    from websockets.exceptions import ConnectionClosed

    options = {"max_size": None, "ping_interval": None}
    try:
        async with connect(uri, **options) as connection:
            async for message in connection:
                await connection.send(message)
    except ConnectionClosed:
        # Many cases break the rules; the report tells what we made of it.
        pass


async def run(connect: Any, uri: str, agent: str) -> None:
    """Run all cases, then have the report written."""
    count = await ask(connect, f"{uri}/getCaseCount")
    for number in range(1, count + 1):
        case = f"{uri}/runCase?case={number}&agent={agent}"
        async with asyncio.timeout(CASE_TIMEOUT):
            await run_case(connect, case)
    await run_case(connect, f"{uri}/updateReports?agent={agent}")


def main() -> None:
    """Run the client on the event loop that the command line names."""
    options = make_parser().parse_args()
    factory: Any = None
    if options.loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    connect = find_connect(options.face)
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(run(connect, options.uri, options.agent))


if __name__ == "__main__":
    main()
