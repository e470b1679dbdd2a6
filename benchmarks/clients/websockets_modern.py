"""``websockets.asyncio.client``, PyPI's or ours."""

from __future__ import annotations

from harness import MAX_SIZE, Options, Tally, run
from programs import work

from websockets.asyncio.client import connect


async def program(options: Options, tally: Tally) -> None:
    """Connect, and do what is to be measured."""
    async with connect(
        options.uri, compression=None, max_size=MAX_SIZE, ping_interval=None
    ) as ws:
        await work(ws, options, tally)


if __name__ == "__main__":
    run(program)
