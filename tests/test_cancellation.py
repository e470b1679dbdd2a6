"""Cancelling at every await point, of every operation: nothing is lost, nothing stays.

Each scenario runs an operation that is cancelled at one step and then looks what has
become of the connection. Besides, none may leave a task, a socket, or an exception that
nobody looked at.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from cancelling import WAYS, Attempt, attempts, result_of
from faces.support import (
    Face,
    client_tls,
    echo,
    port_of,
    server_tls,
    turns,
    until,
)
from proxies import HTTPProxy, SOCKSProxy, running
from websockets.exceptions import (
    ConnectionClosed,
    ConnectionClosedError,
    InvalidHandshake,
)

Scenario = Callable[[Face, Attempt], Awaitable[None]]

SCENARIOS: list[Scenario] = []

#: No names are looked up, which a thread would do in its own time.
HOST = "127.0.0.1"


def scenario(function: Scenario) -> Scenario:
    """Add a scenario."""
    SCENARIOS.append(function)
    return function


@pytest.fixture(autouse=True, scope="module")
def _little_garbage() -> Iterator[None]:
    """Have the garbage collector look only at what these tests leave.

    They may need it after each step, and earlier tests have left a lot.
    """
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _no_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have pauses between attempts to connect take no time."""
    sleep = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda delay: sleep(0))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda function: function.__name__)
async def test_cancelling_at_every_step(
    face: Face, scenario: Scenario, way: str, clean_loop: list[Any]
) -> None:
    forced = os.environ.get("WEBSOCKETS_TRANSPORT") == "aiofastnet"
    if scenario.__name__.endswith("_tls") and forced:
        pytest.skip("aiofastnet warns of TLS that is cancelled in its handshake")
    async with contextlib.aclosing(attempts(way)) as several:
        async for attempt in several:
            await scenario(face, attempt)
            # aiofastnet tells of clients that leave in the middle of a TLS handshake.
            clean_loop[:] = [
                context
                for context in clean_loop
                if context.get("exception") is not ConnectionResetError
            ]
            assert not clean_loop, attempt.step


# What scenarios are made of.


def serve(face: Face, handler: Any = echo, **kwargs: Any) -> Any:
    """Serve without looking up a name."""
    return face.serve(handler, HOST, 0, **kwargs)


def connect(face: Face, server: Any, **kwargs: Any) -> Any:
    """Connect without looking up a name."""
    return face.connect(f"ws://{HOST}:{port_of(server)}/", **kwargs)


@contextlib.asynccontextmanager
async def pair(face: Face, **kwargs: Any) -> AsyncIterator[tuple[Any, Any]]:
    """Give a client and its server's connection."""
    accepted: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def handler(websocket: Any) -> None:
        accepted.set_result(websocket)
        await websocket.wait_closed()

    async with serve(face, handler) as server:
        async with connect(face, server, **kwargs) as client:
            yield client, await accepted


async def check_open(client: Any, server: Any) -> None:
    """See that a connection works, both ways."""
    await client.send("still")
    assert await server.recv() == "still"
    await server.send("there")
    assert await client.recv() == "there"


async def check_echo(client: Any) -> None:
    """See that a connection to a server that echoes works, and close it."""
    await client.send("hello")
    assert await client.recv() == "hello"
    await client.close()


async def left(client: Any) -> list[Any]:
    """Return all messages that are still to come."""
    return [message async for message in client]


async def pulse(connection: Any, task: asyncio.Task[Any]) -> None:
    """Have the transport be full now and then until a task has ended."""
    while not task.done():
        connection.pause_writing()
        await turns(3)
        connection.resume_writing()
        await turns(1)


# Opening connections.


async def open_connection(connecting: Any) -> Any:
    return await connecting


async def check_connecting(connecting: Any, attempt: Attempt, server: Any) -> None:
    """Connect; if that's cancelled, the server hears of it."""
    for client in await result_of(attempt.start(open_connection(connecting))):
        await check_echo(client)
    # A proxy may have yet to accept what was given up.
    await turns(5)
    await until(lambda: not server.websockets)


@scenario
async def connecting(face: Face, attempt: Attempt) -> None:
    async with serve(face) as server:
        await check_connecting(connect(face, server), attempt, server)


@scenario
async def connecting_with_tls(face: Face, attempt: Attempt) -> None:
    async with serve(face, ssl=server_tls()) as server:
        uri = f"wss://localhost:{port_of(server)}/"
        there = face.connect(uri, host=HOST, ssl=client_tls())
        await check_connecting(there, attempt, server)


@scenario
async def connecting_with_context(face: Face, attempt: Attempt) -> None:
    async def talk(connecting: Any) -> None:
        async with connecting as client:
            await client.send("hello")
            assert await client.recv() == "hello"

    async with serve(face) as server:
        await result_of(attempt.start(talk(connect(face, server))))
        await until(lambda: not server.websockets)


@scenario
async def connecting_to_who_redirects(face: Face, attempt: Attempt) -> None:
    def redirect(path: str, headers: Any) -> Any:
        return None if path == "/to" else (302, {"Location": "/to"}, b"")

    async with serve(face, process_request=redirect) as server:
        await check_connecting(connect(face, server), attempt, server)


@scenario
async def connecting_through_http(face: Face, attempt: Attempt) -> None:
    async with running(HTTPProxy()) as proxy, serve(face) as server:
        there = connect(face, server, proxy=f"http://{HOST}:{proxy.port}")
        await check_connecting(there, attempt, server)


@scenario
async def connecting_through_http_with_tls(face: Face, attempt: Attempt) -> None:
    async with serve(face, ssl=server_tls()) as server:
        async with running(HTTPProxy(target=port_of(server))) as proxy:
            there = face.connect(
                f"wss://localhost:{port_of(server)}/",
                ssl=client_tls(),
                proxy=f"http://{HOST}:{proxy.port}",
            )
            await check_connecting(there, attempt, server)


@scenario
async def connecting_through_socks(face: Face, attempt: Attempt) -> None:
    async with running(SOCKSProxy()) as proxy, serve(face) as server:
        there = connect(face, server, proxy=f"socks5://{HOST}:{proxy.port}")
        await check_connecting(there, attempt, server)


@scenario
async def connecting_again_and_again(face: Face, attempt: Attempt) -> None:
    lives = 0

    async def answer(websocket: Any) -> None:
        await websocket.send("hello")

    async def reconnect(connecting: Any) -> None:
        nonlocal lives
        async with contextlib.aclosing(aiter(connecting)) as connections:
            async for client in connections:
                assert [message async for message in client] == ["hello"]
                lives += 1
                if lives == 2:
                    break

    async with serve(face, answer) as server:
        done = await result_of(attempt.start(reconnect(connect(face, server))))
        assert not done or lives == 2
        await until(lambda: not server.websockets)


# Serving.


@scenario
async def serving(face: Face, attempt: Attempt) -> None:
    for server in await result_of(attempt.start(open_connection(serve(face)))):
        await check_echo(await connect(face, server))
        server.close()
        await server.wait_closed()


@scenario
async def serving_with_context(face: Face, attempt: Attempt) -> None:
    async def run() -> None:
        async with serve(face) as server:
            await check_echo(await connect(face, server))

    await result_of(attempt.start(run()))


@scenario
async def serving_for_ever(face: Face, attempt: Attempt) -> None:
    async with serve(face) as server:
        client = await connect(face, server)
        task = attempt.start(server.serve_forever())
        await turns(10)
        server.close()
        await asyncio.wait([task])
        await client.wait_closed()
        assert client.close_code == 1001


@scenario
async def closing_a_server(face: Face, attempt: Attempt) -> None:
    async def close(server: Any) -> None:
        server.close()
        await server.wait_closed()

    async with serve(face) as server:
        client = await connect(face, server)
        await result_of(attempt.start(close(server)))
        # It goes on by itself.
        await server.wait_closed()
        await client.wait_closed()
        assert client.close_code == 1001
        assert not server.websockets


@scenario
async def handling(face: Face, attempt: Attempt) -> None:
    async def handler(websocket: Any) -> None:
        await attempt.watch(echo(websocket))

    async with serve(face, handler) as server:
        client = await connect(face, server)
        with contextlib.suppress(ConnectionClosedError):
            for number in range(3):
                await client.send(str(number))
                assert await client.recv() == str(number)
            await client.close()
        await client.wait_closed()
        # It may have been cancelled when the client had closed already.
        closed = [1000, 1011] if attempt.cancelled else [1000]
        assert client.close_code in closed
        await until(lambda: not server.websockets)


@scenario
async def asking_a_hook(face: Face, attempt: Attempt) -> None:
    async def hook(path: str, headers: Any) -> None:
        await attempt.watch(turns(3))

    async with serve(face, process_request=hook) as server:
        try:
            client = await connect(face, server)
        except InvalidHandshake:
            assert attempt.cancelled
        else:
            await check_echo(client)
        await until(lambda: not server.websockets)


# Receiving.


@scenario
async def receiving(face: Face, attempt: Attempt) -> None:
    async with pair(face) as (client, server):
        task = attempt.start(client.recv())
        await turns(2)
        await server.send("one")
        await server.send("two")
        got = await result_of(task)
        await server.close()
        assert got + await left(client) == ["one", "two"]


@scenario
async def receiving_until_a_timeout(face: Face, attempt: Attempt) -> None:
    async def receive(websocket: Any) -> Any:
        async with asyncio.timeout(60):
            return await websocket.recv()

    async with pair(face) as (client, server):
        task = attempt.start(receive(server))
        await client.send("one")
        await client.send("two")
        got = await result_of(task)
        await check_open(client, _After(server, 2 - len(got)))


class _After:
    """A connection that receives after so many other messages."""

    def __init__(self, connection: Any, others: int) -> None:
        self.send = connection.send
        self._connection = connection
        self._others = others

    async def recv(self) -> Any:
        for _ in range(self._others):
            await self._connection.recv()
        return await self._connection.recv()


@scenario
async def iterating(face: Face, attempt: Attempt) -> None:
    sent = [str(number) for number in range(5)]
    got = []

    async def receive(websocket: Any) -> None:
        async for message in websocket:
            got.append(message)

    async with pair(face) as (client, server):
        task = attempt.start(receive(client))
        for message in sent:
            await server.send(message)
            await turns(2)
        await server.close()
        await result_of(task)
        assert got + await left(client) == sent


@scenario
async def receiving_what_had_to_wait(face: Face, attempt: Attempt) -> None:
    """So many messages wait that reading is paused."""
    sent = [bytes([number]) * 30_000 for number in range(20)]
    got = []

    async def receive(websocket: Any) -> None:
        for _ in sent:
            got.append(await websocket.recv())

    async with pair(face, max_queue=1) as (client, server):
        sending = asyncio.create_task(send_all(server, sent))
        await turns(10)
        await result_of(attempt.start(receive(client)))
        got.extend([await client.recv() for _ in sent[len(got) :]])
        await sending
        assert got == sent
        await check_open(client, server)


async def send_all(websocket: Any, messages: Any) -> None:
    """Send several messages."""
    for message in messages:
        await websocket.send(message)


@scenario
async def streaming(face: Face, attempt: Attempt) -> None:
    """Who stops in the middle of a message can go on, or leave it."""
    parts = []

    async def receive(stream: Any) -> None:
        async for part in stream:
            parts.append(part)

    async with pair(face) as (client, server):
        stream = server.recv_streaming()
        task = attempt.start(receive(stream))
        await client.send(slowly(["a", "b", "c"]))
        await client.send("whole")
        await result_of(task)
        begun = bool(parts)
        if begun:
            await receive(stream)
            assert "".join(parts) == "abc"
        else:
            assert await server.recv() == "abc"
        assert await server.recv() == "whole"
        await check_open(client, server)


@scenario
async def leaving_a_stream(face: Face, attempt: Attempt) -> None:
    parts = []

    async def receive(websocket: Any) -> None:
        async for part in websocket.recv_streaming():
            parts.append(part)

    async with pair(face) as (client, server):
        task = attempt.start(receive(server))
        await client.send(slowly(["a", "b", "c"]))
        await client.send("whole")
        await result_of(task)
        del task
        if not parts:
            assert await server.recv() == "abc"
        assert await server.recv() == "whole"
        await check_open(client, server)


async def slowly(items: Any) -> AsyncIterator[Any]:
    """Give items one by one."""
    for item in items:
        yield item
        await turns(2)


# Sending.


@scenario
async def sending(face: Face, attempt: Attempt) -> None:
    """What was begun to be sent is sent; what wasn't isn't."""
    begun = []

    async def send(websocket: Any) -> None:
        for number in range(5):
            begun.append(str(number))
            await websocket.send(str(number))

    async with pair(face) as (client, server):
        client.pause_writing()
        task = attempt.start(send(client))
        await pulse(client, task)
        assert task.cancelled() or len(begun) == 5
        await client.send("after")
        await client.close()
        assert await left(server) == [*begun, "after"]


@scenario
async def sending_and_receiving(face: Face, attempt: Attempt) -> None:
    """A handler that echoes stops anywhere; it may have a message in hand then."""
    sent = [str(number) for number in range(5)]
    async with pair(face) as (client, server):
        echoing = attempt.start(echo(server))
        receiving = asyncio.create_task(left(client))
        for message in sent:
            await client.send(message)
            await turns(1)
        await turns(5)
        await client.close()
        with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
            await echoing
        got = await receiving + await left(server)
        assert got == [message for message in sent if message in got]
        assert len(got) >= len(sent) - 1


@scenario
async def sending_fragments(face: Face, attempt: Attempt) -> None:
    await check_fragments(face, attempt, ["a", "b", "c"])


@scenario
async def sending_fragments_as_they_come(face: Face, attempt: Attempt) -> None:
    await check_fragments(face, attempt, slowly(["a", "b", "c"]))


async def check_fragments(face: Face, attempt: Attempt, message: Any) -> None:
    """Send a message in fragments: all of it arrives, or the connection ends."""
    async with pair(face) as (client, server):
        task = attempt.start(client.send(message))
        other = asyncio.create_task(client.send("other"))
        await pulse(client, task)
        try:
            await other
            await client.send("after")
            await client.close()
        except ConnectionClosedError as exc:
            assert attempt.cancelled
            assert exc.sent is not None and exc.sent.code == 1011
        await server.wait_closed()
        got = []
        with contextlib.suppress(ConnectionClosed):
            while True:
                got.append(await server.recv())
        if not task.cancelled():
            assert sorted(got) == ["abc", "after", "other"]
            assert got[-1] == "after"
        else:
            assert got in ([], ["other"], ["other", "after"])


@scenario
async def sending_behind_fragments(face: Face, attempt: Attempt) -> None:
    """Who waits for the end of another's message sends all of his, or nothing."""
    async with pair(face) as (client, server):
        first = asyncio.create_task(client.send(slowly(["a", "b"])))
        await turns(1)
        task = attempt.start(client.send("second"))
        third = asyncio.create_task(client.send("third"))
        await result_of(task)
        await asyncio.gather(first, third)
        await client.close()
        got = await left(server)
        assert sorted(got) in (["ab", "second", "third"], ["ab", "third"])
        assert got[0] == "ab"
        assert task.cancelled() or "second" in got


@scenario
async def broadcasting(face: Face, attempt: Attempt) -> None:
    """It never waits; who is cancelled between two has sent what he has sent."""
    sent = []

    async def send(websockets: Any) -> None:
        for number in range(3):
            sent.append(str(number))
            face.broadcast(websockets, str(number))
            await asyncio.sleep(0)

    async with pair(face) as (client, server):
        await result_of(attempt.start(send([server])))
        await server.close()
        assert await left(client) == sent


@scenario
async def pinging(face: Face, attempt: Attempt) -> None:
    async def ping(websocket: Any) -> float:
        latency: float = await (await websocket.ping("payload"))
        return latency

    async with pair(face) as (client, server):
        for latency in await result_of(attempt.start(ping(client))):
            assert latency > 0
        # By now, the pong to the first one has come.
        await (await client.ping())
        await ping(client)
        await check_open(client, server)


@scenario
async def ponging(face: Face, attempt: Attempt) -> None:
    async with pair(face) as (client, server):
        await result_of(attempt.start(client.pong()))
        await check_open(client, server)


# Closing.


@scenario
async def closing(face: Face, attempt: Attempt) -> None:
    async with pair(face) as (client, server):
        await server.send("last")
        task = attempt.start(client.close(1000, "bye"))
        await result_of(task)
        # It goes on by itself.
        await client.wait_closed()
        assert client.close_code == 1000
        assert await left(client) == ["last"]
        await server.wait_closed()
        assert server.close_reason == "bye"


@scenario
async def closing_from_both_ends(face: Face, attempt: Attempt) -> None:
    async with pair(face) as (client, server):
        task = attempt.start(client.close())
        await server.close()
        await result_of(task)
        await client.wait_closed()
        assert (client.close_code, server.close_code) == (1000, 1000)


@scenario
async def waiting_for_the_end(face: Face, attempt: Attempt) -> None:
    async with pair(face) as (client, server):
        task = attempt.start(client.wait_closed())
        await turns(2)
        if attempt.cancelled:
            await result_of(task)
            await check_open(client, server)
        other = asyncio.create_task(client.wait_closed())
        await server.close()
        await asyncio.wait([task, other])
        assert other.result() is None
