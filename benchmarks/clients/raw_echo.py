"""Bytes to a byte echo, no WebSocket: what the event loop itself allows."""

from __future__ import annotations

import asyncio
from typing import cast

from harness import Options, Tally, WrongAnswerError, run


class Echo(asyncio.Protocol):
    """Keep as many bytes in flight as the frames would have.

    All messages are the first one, so that what comes need not be cut to compare.
    """

    def __init__(self, options: Options, tally: Tally) -> None:
        header = 2 if options.size < 126 else 4 if options.size < 65536 else 10
        self.message = tally.messages[0] + bytes(header + 4)
        self.in_flight = options.in_flight
        self.tally = tally
        self.received = b""
        self.over = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first messages."""
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self.message * self.in_flight)

    def data_received(self, data: bytes) -> None:
        """Check the bytes that are whole messages; send as many again."""
        if self.received:
            data = self.received + data
        count, rest = divmod(len(data), len(self.message))
        self.received = data[len(data) - rest :] if rest else b""
        echoed = data[: len(data) - rest] if rest else data
        if echoed != self.message * count:
            self.over.set_exception(WrongAnswerError("another echo"))
        self.tally.count += count
        if not self.tally.over:
            self.transport.write(echoed)
        elif not self.over.done():
            self.over.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Notice a server that leaves early."""
        if not self.over.done():
            self.over.set_exception(exc or WrongAnswerError("broken off"))


async def program(options: Options, tally: Tally) -> None:
    """Connect, and let the protocol do what is to be measured."""
    transport, protocol = await asyncio.get_running_loop().create_connection(
        lambda: Echo(options, tally), "127.0.0.1", options.port
    )
    await protocol.over
    transport.close()


if __name__ == "__main__":
    run(program)
