"""Tasks, timeouts and cancellation: no message is lost, doubled or out of order."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import sys
import time
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from faces.support import (
    REQUEST,
    Face,
    FakeServer,
    FakeTransport,
    deliver,
    deliver_alone,
    echo,
    frame,
    masked,
    pair,
    turns,
    until,
    uri_of,
)
from websockets.asyncio.loops import loop_state
from websockets.classic.server import WebSocketServerProtocol
from websockets.exceptions import ConnectionClosedOK


def make_eager_task(loop: Any, coro: Any, **kwargs: Any) -> Any:
    """Do what asyncio.eager_task_factory does; not all loops call it the same."""
    return asyncio.Task(coro, loop=loop, **{**kwargs, "eager_start": True})


@pytest.fixture(params=["normal", "debug", "eager"])
async def mode(request: pytest.FixtureRequest) -> Any:
    """Run a test with asyncio's debug mode, and with eager tasks, too."""
    loop = asyncio.get_running_loop()
    if request.param == "debug":
        loop.set_debug(True)
    if request.param == "eager":
        if sys.version_info < (3, 12):
            pytest.skip("eager tasks came with Python 3.12")
        loop.set_task_factory(make_eager_task)
    yield request.param
    loop.set_debug(False)
    loop.set_task_factory(None)


async def start(
    handler: Callable[[Any], Awaitable[Any]],
) -> tuple[WebSocketServerProtocol, FakeTransport]:
    """Open a server's connection on a fake transport."""
    connection = WebSocketServerProtocol(handler, FakeServer(), ping_interval=None)
    transport = FakeTransport(connection)
    connection.connection_made(transport)
    connection.data_received(REQUEST + b"\r\n")
    await until(lambda: connection.open)
    transport.written.clear()
    return connection, transport


async def stop(connection: Any) -> None:
    """End a connection on a fake transport."""
    connection.connection_lost(None)
    await until(lambda: connection.handler_task.done())


async def idle(websocket: Any) -> None:
    await websocket.wait_closed()


async def by_itself(ws: Any) -> Any:
    return await ws.recv()


async def by_task(ws: Any) -> Any:
    return await asyncio.create_task(ws.recv())


async def by_wait_for(ws: Any) -> Any:
    return await asyncio.wait_for(ws.recv(), 5)


async def by_wait_for_no_timeout(ws: Any) -> Any:
    return await asyncio.wait_for(ws.recv(), None)


async def by_gather(ws: Any) -> Any:
    (message, _) = await asyncio.gather(ws.recv(), asyncio.sleep(0))
    return message


async def by_shield(ws: Any) -> Any:
    return await asyncio.shield(ws.recv())


async def by_timeout(ws: Any) -> Any:
    async with asyncio.timeout(5):
        return await ws.recv()


async def by_group(ws: Any) -> Any:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(ws.recv())
    return task.result()


async def by_wait(ws: Any) -> Any:
    task = asyncio.ensure_future(ws.recv())
    await asyncio.wait([task], return_when=asyncio.FIRST_COMPLETED)
    return task.result()


async def by_as_completed(ws: Any) -> Any:
    for item in asyncio.as_completed([ws.recv()]):
        return await item
    return None


WAYS = [
    by_itself, by_task, by_wait_for, by_wait_for_no_timeout, by_gather, by_shield,
    by_timeout, by_group, by_wait, by_as_completed,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
async def test_ways_to_receive(face: Face, mode: str, way: Any) -> None:
    async with pair(face) as (client, server):
        await server.send("waiting")
        await until(lambda: client.messages)
        assert await way(client) == "waiting"
        task = asyncio.create_task(way(client))
        await turns(5)
        await server.send("waited for")
        assert await task == "waited for"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("alone", [True, False])
async def test_cancelling_at_every_step(mode: str, way: Any, alone: bool) -> None:
    """Cancel after 0, 1, 2... iterations, before and after a message comes."""
    for before in range(6):
        for after in range(6):
            connection, transport = await start(idle)
            got = record(connection)
            task = asyncio.create_task(way(connection))
            await turns(before)
            data = masked((1, b"one"), (2, b"two"))
            if alone:
                await deliver_alone(connection, data)
            else:
                deliver(connection, data)
            await turns(after)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
                assert got
            if way in (by_itself, by_timeout, by_wait_for):
                # No other task may have it, so nothing was received at all.
                assert task.cancelled() is not bool(got)
            # as_completed() leaves its tasks alone.
            await turns(4)
            while connection.messages:
                await connection.recv()
            assert got == ["one", b"two"]
            await stop(connection)


def record(connection: Any) -> list[Any]:
    """Note what recv() returns, be it that nobody looks at it any more."""
    got = []

    async def recv() -> Any:
        message = await type(connection).recv(connection)
        got.append(message)
        return message

    connection.recv = recv
    return got


async def test_cancelling_a_receiver_that_waits(face: Face, mode: str) -> None:
    async with pair(face) as (client, server):
        for number in range(20):
            task = asyncio.create_task(client.recv())
            await turns(1 + number % 3)
            task.cancel("why")
            await server.send(str(number))
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await client.recv() == str(number)


async def test_timeouts_lose_nothing(face: Face) -> None:
    async with pair(face) as (client, server):
        sending = asyncio.create_task(_send_many(server, 200))
        got = []
        while len(got) < 200:
            try:
                async with asyncio.timeout(0):
                    got.append(await client.recv())
            except TimeoutError:
                await asyncio.sleep(0)
        await sending
        assert got == [str(number) for number in range(200)]


async def _send_many(websocket: Any, count: int) -> None:
    for number in range(count):
        await websocket.send(str(number))
        if number % 7 == 0:
            await asyncio.sleep(0)


async def test_a_cancelled_receiver_leaves_the_place_to_another(face: Face) -> None:
    async with pair(face) as (client, server):
        first = asyncio.create_task(client.recv())
        await turns(2)
        first.cancel()
        await turns(1)
        second = asyncio.create_task(client.recv())
        await turns(2)
        await server.send("a")
        assert await second == "a"


async def test_cancelling_what_was_woken_already(mode: str) -> None:
    """The message stays where it is when the task gives up after being woken."""
    connection, _ = await start(idle)
    task = asyncio.create_task(connection.recv())
    await turns(2)
    deliver(connection, masked((1, b"a")))
    # A task was running, so the receiver goes on in the next iteration only.
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await connection.recv() == "a"
    await stop(connection)


async def test_the_handler_goes_on_in_the_same_iteration(mode: str) -> None:
    """What it sends before it waits again is written with one call."""
    connection, transport = await start(echo)
    await turns(3)
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def call() -> None:
        deliver(connection, masked((1, b"a"), (1, b"b"), (2, b"c")))
        done.set_result(list(transport.written))

    loop.call_soon(call)
    assert await done == [frame(1, "a") + frame(1, "b") + frame(2, b"c")]
    await stop(connection)


async def test_a_handler_is_not_entered_from_a_running_task(mode: str) -> None:
    connection, transport = await start(echo)
    await turns(3)
    deliver(connection, masked((1, b"a")))
    assert not transport.written
    await turns(2)
    assert transport.written == [frame(1, "a")]
    await stop(connection)


async def test_context_variables(face: Face, mode: str) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("v", default="none")

    async def receive(name: str, websocket: Any) -> list[str]:
        variable.set(name)
        seen = []
        async for _ in websocket:
            seen.append(variable.get())
        return seen

    async with pair(face) as (client, server):
        tasks = [
            asyncio.create_task(receive("client", client)),
            asyncio.create_task(receive("server", server)),
        ]
        for _ in range(3):
            await client.send("a")
            await server.send("a")
            await turns(5)
        await client.close()
        assert await asyncio.gather(*tasks) == [["client"] * 3, ["server"] * 3]
        assert variable.get() == "none"


async def test_operations_start_lazily_and_warn(face: Face) -> None:
    async with pair(face) as (client, server):
        for operation in (client.recv, lambda: client.send("never")):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                coroutine = operation()
                assert asyncio.iscoroutine(coroutine)
                del coroutine
                gc.collect(0)
            assert "was never awaited" in str(caught[0].message)
        coroutine = client.send("never")
        coroutine.close()
        await client.send("a")
        assert await server.recv() == "a"


async def test_many_senders_at_once(face: Face) -> None:
    async with pair(face, client={"write_limit": 100}) as (client, server):
        async with asyncio.TaskGroup() as group:
            for number in range(100):
                group.create_task(client.send(str(number) * 50))
                group.create_task(client.ping())
            got = [await server.recv() for _ in range(100)]
        assert sorted(got) == sorted(str(number) * 50 for number in range(100))


async def test_messages_stay_in_order(face: Face) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        async with face.connect(uri_of(server)) as client:
            sending = asyncio.create_task(_send_many(client, 500))
            got = [await client.recv() for _ in range(500)]
            await sending
    assert got == [str(number) for number in range(500)]


async def test_a_handler_that_never_waits_does_not_starve_others(face: Face) -> None:
    """recv() and send() that always can go on give others their turn."""
    connection, transport = await start(idle)
    ticks = 0

    def tick() -> None:
        nonlocal ticks
        ticks += 1

    loop = asyncio.get_running_loop()
    handle = loop.call_later(0, tick)
    for _ in range(2_000_000):
        await connection.send(b"x")
        if ticks:
            break
    handle.cancel()
    assert ticks
    ticks = 0
    connection._inbox.messages.extend(["x"] * 2_000_000)
    handle = loop.call_later(0, tick)
    while not ticks:
        await connection.recv()
    assert connection.messages
    connection._inbox.messages.clear()
    await stop(connection)


async def test_many_handlers_that_never_wait_share_the_time_of_one(face: Face) -> None:
    """Each of them could go on, but together it would take too long."""
    looks = 0

    def clock() -> float:
        """Have a millisecond pass between two looks."""
        nonlocal looks
        looks += 1
        return looks / 1000

    async def send(connection: Any) -> None:
        for _ in range(2000):
            await connection.send(b"x")

    connections = [(await start(idle))[0] for _ in range(20)]
    state = loop_state(asyncio.get_running_loop())
    state.clock = clock
    sending = [asyncio.create_task(send(connection)) for connection in connections]
    most = 0
    while not all(task.done() for task in sending):
        before = looks
        await asyncio.sleep(0)
        most = max(most, looks - before)
    # Each may go on for two. Together they may for twenty, and all have a last look.
    assert 20 < most <= 20 + 21
    state.clock = time.perf_counter
    for connection in connections:
        await stop(connection)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_exits_in_a_handler_end_the_loop(error: type[BaseException]) -> None:
    """They come out of run_until_complete(), whatever loop is running."""
    from conftest import LOOPS

    async def handler(websocket: Any) -> None:
        await websocket.recv()
        raise error(7)

    async def main(connection_of: list[Any]) -> None:
        connection, _ = await start(handler)
        connection_of.append(connection)
        await turns(2)
        await deliver_alone(connection, masked((1, b"a")))
        await asyncio.Event().wait()

    for make in LOOPS.values():
        loop = make()
        connections: list[Any] = []
        task = loop.create_task(main(connections))
        with pytest.raises(error):
            loop.run_until_complete(task)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            loop.run_until_complete(task)
        assert connections[0].handler_task.done()
        with pytest.raises(error):
            connections[0].handler_task.result()
        loop.close()


async def test_closing_from_a_handler_that_was_woken_directly(mode: str) -> None:
    """Re-entry: the transport may call back while the handler closes it."""

    async def handler(websocket: Any) -> None:
        assert await websocket.recv() == "a"
        websocket.transport.abort()
        deliver(websocket, masked((1, b"b")))

    connection, transport = await start(handler)
    await turns(2)
    await deliver_alone(connection, masked((1, b"a")))
    await asyncio.wait_for(connection.handler_task, 5)
    assert connection.closed
    assert await connection.recv() == "b"


async def test_receiving_in_one_task_and_sending_in_another(face: Face) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        async with face.connect(uri_of(server)) as client:

            async def receive() -> list[Any]:
                return [message async for message in client]

            task = asyncio.create_task(receive())
            await client.send("a")
            await client.send("b")
            await client.ping()
            await turns(20)
            await asyncio.sleep(0.001)
            await client.close()
            assert await task == ["a", "b"]
            with pytest.raises(ConnectionClosedOK):
                await client.send("c")
