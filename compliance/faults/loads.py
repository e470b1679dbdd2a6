"""Load: a thousand connections, slow readers among them, and the end under load."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import resource
import socket
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from raw import Raw, raw_client
from scene import HOST, Scene, fault
from watch import memory

from websockets.exceptions import ConnectionClosed

#: Connections in all, and how many of these receive what is sent.
CONNECTIONS = 1000
FAST = 200

#: Bytes of a message, bytes that a server's connection may collect, and seconds between
#: two messages.
SIZE = 8192
WRITE_LIMIT = 2**15
PACE = 0.2

#: Seconds for which messages are counted.
WHILE = 2.0


@contextlib.contextmanager
def many_files() -> Iterator[None]:
    """Let this process open as many files as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def listening() -> socket.socket:
    """Return a socket whose connections have small buffers."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**14)
    sock.bind((HOST, 0))
    return sock


@fault
async def slow_readers(scene: Scene) -> None:
    """Most clients never read: memory is bounded, and others keep their rate."""
    served: set[Any] = set()

    async def handler(connection: Any) -> None:
        served.add(connection)
        number = 0
        with contextlib.suppress(ConnectionClosed):
            while True:
                await connection.send(f"{number}".ljust(SIZE))
                number += 1
                if connection.request.path != "/slow":
                    await asyncio.sleep(PACE)
        served.discard(connection)

    # By default, those who read nothing for 20 seconds are cut.
    options = {"ping_timeout": None, "compression": None, **unlimited()}
    options["write_limit"] = WRITE_LIMIT
    with many_files(), listening() as sock:
        port = sock.getsockname()[1]
        async with scene.serve(handler, sock=sock, backlog=2048, **options):
            fast = [await scene.open(port) for _ in range(FAST)]
            tasks = [asyncio.create_task(scene.collect(client)) for client in fast]
            alone = await rate_of(scene)
            before = memory()
            async with slow_clients(port, CONNECTIONS - FAST):
                scene.injected += CONNECTIONS - FAST
                await scene.in_time(stuck(served), 30, "writing to who doesn't read")
                together = await rate_of(scene)
                check_memory(scene, served, memory() - before)
                scene.check(
                    together > 0.7 * min(alone, FAST / PACE),
                    f"{alone:.0f} messages a second alone, {together:.0f} with others",
                )
                await asyncio.gather(*(client.close() for client in fast))
            await asyncio.wait(tasks)


def unlimited() -> dict[str, Any]:
    """Return the arguments that let many clients come at once."""
    try:
        from websockets import Limits
    except ImportError:
        return {}
    return {"limits": Limits(handshakes=None)}


async def rate_of(scene: Scene) -> float:
    """Return how many messages come in a second, on all connections."""
    before, began = total(scene), time.perf_counter()
    await asyncio.sleep(WHILE)
    return (total(scene) - before) / (time.perf_counter() - began)


def total(scene: Scene) -> int:
    """Return how many messages have come."""
    return sum(ledger.next for ledger in scene.ledgers)


@contextlib.asynccontextmanager
async def slow_clients(port: int, count: int) -> AsyncIterator[list[Raw]]:
    """Connect and read nothing; that takes little room in the system's buffers."""
    async with contextlib.AsyncExitStack() as stack:
        clients = []
        for _ in range(count):
            opening = raw_client(port, path=b"/slow", room=2**12)
            clients.append(await stack.enter_async_context(opening))
        yield clients


async def stuck(served: set[Any]) -> None:
    """Wait until all writing to slow clients has to wait."""
    while sum(one.stats.buffered_bytes > 0 for one in served) < CONNECTIONS - FAST:
        await asyncio.sleep(0.05)


def check_memory(scene: Scene, served: set[Any], grown: float) -> None:
    """Check what waits to be written."""
    most = max(connection.stats.buffered_bytes for connection in served)
    # What is sent in one iteration of the event loop is collected, up to 64 KiB.
    bound = WRITE_LIMIT + SIZE + 100 + 2**16
    scene.check(most <= bound, f"{most} bytes wait on one connection")
    # Connections take room themselves.
    bound = (CONNECTIONS - FAST) * (bound + 2**15) / 2**20
    scene.check(grown <= bound, f"memory grew by {grown:.0f} MiB")


@fault
async def shutdown_under_load(scene: Scene) -> None:
    """A server with busy connections closes, by its deadline where it has one."""
    for code, spread in ((1001, 0.0), (1012, 1.0)):
        await shut_down(scene, code, spread)


async def shut_down(scene: Scene, code: int, spread: float) -> None:
    """Close a server under load; see how clients end."""
    sent: dict[Any, int] = {}

    async def handler(connection: Any) -> None:
        stubborn = len(sent) % 10 == 0 and has_deadline(scene)
        sent[connection.remote_address] = 0
        with contextlib.suppress(ConnectionClosed):
            async for _ in connection:
                await connection.send(f"{sent[connection.remote_address]}")
                sent[connection.remote_address] += 1
        if stubborn:
            # It takes no notice of the end.
            await asyncio.sleep(3600)

    async def keep_busy(client: Any) -> None:
        ledger = scene.ledger()
        with contextlib.suppress(ConnectionClosed):
            while True:
                await client.send("x")
                ledger.take(await client.recv())
        with contextlib.suppress(ConnectionClosed):
            while True:
                ledger.take(await client.recv())
        ledger.expect(sent[client.local_address])

    with many_files():
        async with scene.serve(handler, HOST, 0, backlog=2048, **unlimited()) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            clients = [await scene.open(port) for _ in range(CONNECTIONS)]
            tasks = [asyncio.create_task(keep_busy(client)) for client in clients]
            await asyncio.sleep(1)
            scene.injected += 1
            await close_in_time(scene, server, code, spread)
            await asyncio.wait(tasks)
    codes = {client.close_code for client in clients}
    scene.check(codes == {code}, f"close codes of a server's end: {codes}")
    for task in tasks:
        scene.check(task.exception() is None, f"a client's task: {task.exception()!r}")


def has_deadline(scene: Scene) -> bool:
    """Tell whether servers of this version close by a deadline."""
    server = scene.server_module
    kind = server.Server if scene.face == "modern" else server.WebSocketServer
    return "timeout" in inspect.signature(kind.close).parameters


async def close_in_time(scene: Scene, server: Any, code: int, spread: float) -> None:
    """Close a server, and see that it takes no longer than it should."""
    options: dict[str, Any] = {"code": code}
    if has_deadline(scene):
        options.update(timeout=5, spread=spread)
    server.close(**options)
    began = time.perf_counter()
    await server.wait_closed()
    took = time.perf_counter() - began
    # Ending a thousand connections takes a while on a busy machine.
    scene.check(took < 5 + 5, f"the end took {took:.1f} seconds")
    scene.check(took >= spread * 0.9, f"the end took only {took:.1f} seconds")
