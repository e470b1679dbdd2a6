"""picows' coroutine layer, which follows ``websockets.asyncio``."""

from __future__ import annotations

from harness import MAX_SIZE, Options, Tally, run
from picows.websockets import connect
from programs import work


async def program(options: Options, tally: Tally) -> None:
    """Connect, and do what is to be measured."""
    async with connect(
        options.uri, compression=None, max_size=MAX_SIZE, ping_interval=None
    ) as ws:
        await work(ws, options, tally)


if __name__ == "__main__":
    run(program)
