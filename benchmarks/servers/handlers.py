"""What a server does with a connection, for all libraries with coroutines.

Their connections are iterated over and have ``recv()`` and ``send()``: what is
measured is the same program for each of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from harness import CYCLE

Handler = Callable[[Any], Awaitable[None]]

#: Messages after which a flood lets others run. No library promises that ``send()``
#: does, and the client's close has to be read.
BREATH = 64


async def echo(ws: Any) -> None:
    """Send every message back."""
    async for message in ws:
        await ws.send(message)


async def sink(ws: Any) -> None:
    """Count messages and bytes; to a text, answer with the counts and the last one."""
    count = size = 0
    last = b""
    async for message in ws:
        if type(message) is str:
            await ws.send(b"%d %d " % (count, size) + last)
        else:
            count += 1
            size += len(message)
            last = message


def make_flood(closed: type[Exception]) -> Handler:
    """Make a handler that repeats the first messages until the client closes.

    Args:
        closed: what ``send()`` raises then.

    """

    async def flood(ws: Any) -> None:
        messages = [await ws.recv() for _ in range(CYCLE)]
        try:
            while True:
                for _ in range(BREATH // CYCLE):
                    for message in messages:
                        await ws.send(message)
                await asyncio.sleep(0)
        except closed:
            pass

    return flood


def make_broadcast(broadcast: Callable[[Iterable[Any], Any], None]) -> Handler:
    """Make a handler that sends each message to all connections."""
    connections: set[Any] = set()

    async def forward(ws: Any) -> None:
        connections.add(ws)
        try:
            async for message in ws:
                broadcast(connections, message)
        finally:
            connections.discard(ws)

    return forward


def choose_handler(
    task: str,
    closed: type[Exception],
    broadcast: Callable[[Iterable[Any], Any], None],
) -> Handler:
    """Return the handler for a task."""
    return {
        "echo": echo,
        "sink": sink,
        "flood": make_flood(closed),
        "broadcast": make_broadcast(broadcast),
    }[task]
