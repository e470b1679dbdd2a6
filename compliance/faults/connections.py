"""Faults of connections: resets, half-closes, cancellation."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Any

from raw import REQUEST, Raw, raw_client, raw_server
from scene import Scene, fault, turns

from websockets.exceptions import ConnectionClosed, InvalidMessage

#: Connections that have a fault each.
CONNECTIONS = 20

#: Messages that are sent on each before.
MESSAGES = 300


async def wait_in_all_ways(scene: Scene, connection: Any) -> None:
    """Have tasks wait for everything that there is; all must be woken by an end."""

    async def send() -> None:
        while True:
            await connection.send(bytes(2**18))

    async def ping() -> None:
        await (await connection.ping())

    waiting = [send(), send(), ping(), connection.wait_closed()]
    tasks = [asyncio.create_task(operation) for operation in waiting]
    await scene.collect(connection)
    await scene.in_time(asyncio.wait(tasks), 10, "waking those who wait")
    for task in tasks[:3]:
        right = task.done() and isinstance(task.exception(), ConnectionClosed)
        scene.check(right, f"a waiter wasn't told of the end: {task}")
    for operation in (connection.recv, connection.ping, lambda: connection.send("x")):
        try:
            await operation()
            scene.problems.append("an operation succeeds on a lost connection")
        except ConnectionClosed:
            pass


@fault
async def reset_by_client(scene: Scene) -> None:
    """Clients send messages and RST; the server has received all of them."""
    ended = []

    async def handler(connection: Any) -> None:
        await wait_in_all_ways(scene, connection)
        ended.append(connection)

    async def attack(port: int, number: int) -> None:
        async with raw_client(port) as raw:
            await raw.send_numbers(MESSAGES, number * 10)
            await raw.arrived()
            raw.reset()
            scene.injected += 1

    async with scene.server(handler, max_queue=None) as port:
        await asyncio.gather(*(attack(port, n) for n in range(CONNECTIONS)))
        while len(ended) < CONNECTIONS:
            await asyncio.sleep(0.01)
    for ledger in scene.ledgers:
        ledger.expect(MESSAGES)


@fault
async def reset_by_server(scene: Scene) -> None:
    """The same the other way round."""
    async with raw_server() as (port, accept):
        for number in range(CONNECTIONS):
            accepting = asyncio.create_task(accept())
            connection = await scene.open(port, max_queue=None)
            raw = await accepting
            receiving = asyncio.create_task(wait_in_all_ways(scene, connection))
            await raw.send_numbers(MESSAGES, number * 10)
            await raw.arrived()
            raw.reset()
            scene.injected += 1
            await receiving
            scene.ledgers[-1].expect(MESSAGES)


@fault
async def reset_found_by_write(scene: Scene) -> None:
    """A write is told of the reset before what was sent is read, on either side."""

    async def part(raw: Raw, connection: Any) -> None:
        await raw.send_numbers(MESSAGES)
        # Nothing waits from here on, so that the event loop can't read.
        raw.reset()
        scene.injected += 1
        await connection.send("too late")
        await scene.collect(connection)
        scene.ledgers[-1].expect(MESSAGES)

    async def handler(connection: Any) -> None:
        connections.put_nowait(connection)
        await connection.wait_closed()

    connections: asyncio.Queue[Any] = asyncio.Queue()
    async with scene.server(handler, max_queue=None) as port:
        for _ in range(CONNECTIONS):
            async with raw_client(port) as raw:
                await part(raw, await connections.get())
    async with raw_server() as (port, accept):
        for _ in range(CONNECTIONS):
            accepting = asyncio.create_task(accept())
            connection = await scene.open(port, max_queue=None)
            await part(await accepting, connection)


@fault
async def reset_while_opening(scene: Scene) -> None:
    """Connections are reset at any byte of the handshake, on either side."""
    async with scene.server(lambda connection: connection.wait_closed()) as port:
        for size in range(0, len(REQUEST) + 1, 8):
            async with raw_client(port, handshake=False) as raw:
                await raw.send(REQUEST[:size])
                await turns(size % 4)
                raw.reset()
                scene.injected += 1
    answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
    async with raw_server() as (port, accept):
        for size in range(0, len(answer), 8):
            connecting = asyncio.create_task(connect(scene, port))
            raw = await accept(handshake=False)
            await raw.read_head()
            await raw.send(answer[:size])
            raw.reset()
            scene.injected += 1
            await connecting


async def connect(scene: Scene, port: int) -> None:
    try:
        await scene.open(port)
        scene.problems.append("a client has connected without a handshake")
    except (OSError, InvalidMessage, ConnectionClosed):
        pass


@fault
async def half_close(scene: Scene) -> None:
    """Clients end their stream, after a message or in the middle of a frame."""
    ends = []

    async def handler(connection: Any) -> None:
        await scene.collect(connection)
        scene.ledgers[-1].expect(MESSAGES)
        await connection.wait_closed()
        ends.append(connection.close_code)

    async with scene.server(handler) as port:
        for part in (b"", b"\x81", b"\x81\xff\0\0", b"\x81\x85\1\2\3\4ab", b"\x01\x81"):
            async with raw_client(port) as raw:
                await raw.send_numbers(MESSAGES)
                await raw.send(part)
                raw.half_close()
                scene.injected += 1
                await scene.in_time(raw.read_all(), 5, "the end after a half-close")
        async with raw_client(port, handshake=False) as raw:
            await raw.send(REQUEST[:50])
            raw.half_close()
            scene.injected += 1
            await scene.in_time(raw.read_all(), 5, "the end of a half handshake")
    scene.check(ends == [1006] * 5, f"close codes after half-closes: {ends}")


@fault
async def cancellation(scene: Scene) -> None:
    """Tasks are cancelled anywhere, under load; those that follow miss nothing."""
    whims = random.Random(5)
    count = 3000

    async def handler(connection: Any) -> None:
        for number in range(count):
            await connection.send(f"{number} {' ' * whims.randrange(2000)}")
            if number % 7 == 0:
                await asyncio.sleep(0)
        await connection.wait_closed()

    async def receive(connection: Any, ledger: Any) -> None:
        """Receive and note without a wait in between."""
        async for message in connection:
            ledger.take(message)

    async def follow(port: int) -> None:
        ledger = scene.ledger()
        async with scene.open(port) as connection:
            while ledger.next < count:
                task = asyncio.create_task(receive(connection, ledger))
                await turns(whims.randrange(1, 6))
                task.cancel()
                scene.injected += 1
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            ledger.expect(connection.stats.messages_received)

    async with scene.server(handler) as port:
        await asyncio.gather(*(follow(port) for _ in range(5)))
