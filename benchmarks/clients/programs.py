"""What a client does with a connection, for all libraries with coroutines.

Their connections are iterated over and have ``recv()`` and ``send()``: what is
measured is the same program for each of them.
"""

from __future__ import annotations

import asyncio
from itertools import cycle
from typing import Any

from harness import BREATH, CYCLE, Options, Tally, WrongAnswerError


async def ask(ws: Any, options: Options, tally: Tally) -> None:
    """Send a message, wait for its echo, and so on."""
    while not tally.over:
        for message in tally.messages:
            await ws.send(message)
            if await ws.recv() != message:
                raise WrongAnswerError("another echo")
            tally.count += 1


async def pipeline(ws: Any, options: Options, tally: Tally) -> None:
    """Keep messages in flight: for each echo, send another message."""
    to_send, to_come = cycle(tally.messages), cycle(tally.messages)
    waiting = options.in_flight
    for _ in range(waiting):
        await ws.send(next(to_send))
    async for message in ws:
        if message != next(to_come):
            raise WrongAnswerError("another echo")
        tally.count += 1
        if not tally.over:
            await ws.send(next(to_send))
            continue
        waiting -= 1
        if not waiting:
            break


async def receive_flood(ws: Any, options: Options, tally: Tally) -> None:
    """Take what comes, which is what we sent at first, over and over."""
    to_come = cycle(tally.messages)
    for message in tally.messages:
        await ws.send(message)
    async for message in ws:
        if message != next(to_come):
            raise WrongAnswerError("another message")
        tally.count += 1
        if tally.over:
            break


async def send_flood(ws: Any, options: Options, tally: Tally) -> None:
    """Send as fast as the server reads, which checks it all and says how many."""
    sent = 0
    while not tally.over:
        for _ in range(BREATH // CYCLE):
            for message in tally.messages:
                await ws.send(message)
        sent += BREATH
        tally.count += BREATH
        await asyncio.sleep(0)
    await ws.send("?")
    if await ws.recv() != str(sent):
        raise WrongAnswerError("the server has another number of messages")


async def work(ws: Any, options: Options, tally: Tally) -> None:
    """Do what the options ask for, on one connection."""
    if options.task == "flood":
        await receive_flood(ws, options, tally)
    elif options.task == "sink":
        await send_flood(ws, options, tally)
    elif options.in_flight == 1:
        await ask(ws, options, tally)
    else:
        await pipeline(ws, options, tally)
