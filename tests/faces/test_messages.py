"""Messages: what may be sent, what is received, fragments, and control frames."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from faces.support import (
    Face,
    Raw,
    close_frame,
    echo,
    frame,
    pair,
    raw_client,
    raw_server,
    turns,
    until,
    uri_of,
)
from websockets.exceptions import (
    ConcurrencyError,
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidState,
    ProtocolError,
)


async def letters(*items: Any) -> AsyncIterator[Any]:
    for item in items:
        await asyncio.sleep(0)
        yield item


def generate(*items: Any) -> Iterator[Any]:
    yield from items


SENDABLE = [
    ("café", "café"),
    ("", ""),
    (b"\x00\xff", b"\x00\xff"),
    (b"", b""),
    (bytearray(b"array"), b"array"),
    (memoryview(b"view"), b"view"),
    (memoryview(b"strided")[::2], b"srdd"),
    ("x" * 200_000, "x" * 200_000),
    (b"x" * 200_000, b"x" * 200_000),
    (["one"], "one"),
    (["o", "n", "e"], "one"),
    ((b"o", bytearray(b"n"), memoryview(b"e")), b"one"),
    (["", ""], ""),
    ({"a": 1}.keys(), "a"),
]


@pytest.mark.parametrize("message, received", SENDABLE)
@pytest.mark.parametrize("compression", [None, "deflate"])
async def test_everything_that_can_be_sent(
    face: Face, message: Any, received: Any, compression: str | None
) -> None:
    options = {"compression": compression}
    async with pair(face, options, options) as (client, server):
        for one, other in ((client, server), (server, client)):
            await one.send(message)
            got = await other.recv()
            assert got == received
            assert type(got) is type(received)


@pytest.mark.parametrize("make", [letters, generate])
async def test_generators_are_sent_in_fragments(face: Face, make: Any) -> None:
    async with pair(face) as (client, server):
        await client.send(make("a", "b", "c"))
        await client.send(make(b"1", b"2"))
        await client.send("after")
        assert await server.recv() == "abc"
        assert await server.recv() == b"12"
        assert await server.recv() == "after"


@pytest.mark.parametrize("make", [letters, generate, list])
async def test_an_empty_iterable_sends_nothing(face: Face, make: Any) -> None:
    async with pair(face) as (client, server):
        await client.send(make())
        await client.send("after")
        assert await server.recv() == "after"


async def test_fragments_leave_as_they_come(face: Face) -> None:
    """A fragment is on the wire before the next one is made."""
    frames: list[tuple[int, bytes]] = []
    seen = asyncio.Event()

    async def script(raw: Raw) -> None:
        await raw.accept()
        frames.append(await raw.read_frame())
        seen.set()
        frames.append(await raw.read_frame())
        frames.append(await raw.read_frame())

    async def message() -> AsyncIterator[str]:
        yield "first"
        await seen.wait()
        yield "second"

    async with raw_server(script) as uri:
        async with face.connect(uri, compression=None, close_timeout=0.01) as client:
            await client.send(message())
    assert frames == [(1, b"first"), (0, b"second"), (0, b"")]


@pytest.mark.parametrize("message", [{"a": 1}, 42, None, 4.2, object()])
async def test_what_cannot_be_sent(face: Face, message: Any) -> None:
    async with pair(face) as (client, server):
        with pytest.raises(TypeError):
            await client.send(message)
        await client.send("after")
        assert await server.recv() == "after"


@pytest.mark.parametrize("make", [letters, generate])
@pytest.mark.parametrize("items", [(1,), (None, "a")])
async def test_a_first_fragment_of_a_wrong_type_harms_nothing(
    face: Face, make: Any, items: tuple[Any, ...]
) -> None:
    async with pair(face) as (client, server):
        with pytest.raises(TypeError):
            await client.send(make(*items))
        await client.send("after")
        assert await server.recv() == "after"


@pytest.mark.parametrize("make", [letters, generate])
@pytest.mark.parametrize("items", [("a", b"b"), (b"a", "b"), ("a", 1)])
async def test_mixed_fragments_end_the_connection(
    face: Face, make: Any, items: tuple[Any, ...]
) -> None:
    async with pair(face) as (client, server):
        # One more, so that the good fragment isn't held back for the last bit.
        with pytest.raises(TypeError):
            await client.send(make(items[0], *items))
        with pytest.raises(ConnectionClosedError) as caught:
            await server.recv()
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1011


async def test_a_failing_iterator_ends_the_connection(face: Face) -> None:
    async def message() -> AsyncIterator[str]:
        yield "half"
        raise ZeroDivisionError

    async with pair(face) as (client, server):
        with pytest.raises(ZeroDivisionError):
            await client.send(message())
        with pytest.raises(ConnectionClosedError, match="1011"):
            await server.recv()


async def test_an_iterator_that_fails_at_once_harms_nothing(face: Face) -> None:
    def message() -> Iterator[str]:
        raise ZeroDivisionError
        yield ""

    async with pair(face) as (client, server):
        with pytest.raises(ZeroDivisionError):
            await client.send(message())
        await client.send("after")
        assert await server.recv() == "after"


async def test_cancelling_a_fragmented_message_ends_the_connection(face: Face) -> None:
    async def message() -> AsyncIterator[str]:
        yield "half"
        await asyncio.Event().wait()

    async with pair(face) as (client, server):
        task = asyncio.create_task(client.send(message()))
        await turns(3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(ConnectionClosedError, match="1011"):
            await server.recv()


async def test_fragmented_messages_do_not_interleave(face: Face) -> None:
    async with pair(face) as (client, server):
        async with asyncio.TaskGroup() as group:
            for letter in "abc":
                group.create_task(client.send(letters(*[letter] * 5)))
                group.create_task(client.send(letter.upper()))
            group.create_task(client.send(generate(*"wxyz")))
        got = [await server.recv() for _ in range(7)]
    assert sorted(got) == ["A", "B", "C", "aaaaa", "bbbbb", "ccccc", "wxyz"]


async def test_a_waiting_sender_may_give_up(face: Face) -> None:
    go = asyncio.Event()

    async def message() -> AsyncIterator[str]:
        yield "half"
        await go.wait()

    async with pair(face) as (client, server):
        first = asyncio.create_task(client.send(message()))
        await turns(2)
        second = asyncio.create_task(client.send("never"))
        third = asyncio.create_task(client.send("third"))
        await turns(2)
        second.cancel()
        go.set()
        await asyncio.wait([first, second, third])
        assert await server.recv() == "half"
        assert await server.recv() == "third"
        assert second.cancelled()


async def test_pings_pass_between_fragments(face: Face) -> None:
    async with pair(face) as (client, server):
        answered = asyncio.Event()

        async def message() -> AsyncIterator[str]:
            yield "a"
            await (await client.ping())
            answered.set()
            yield "b"

        await client.send(message())
        assert answered.is_set()
        assert await server.recv() == "ab"


async def test_received_fragments_make_one_message(face: Face) -> None:
    async def script(raw: Raw) -> None:
        await raw.accept()
        for part in (
            frame(1, b"caf\xc3", fin=False), frame(9, b"?"), frame(0, b"", fin=False),
            frame(0, b"\xa9"), frame(2, b"1", fin=False), frame(0, b"2"),
        ):  # fmt: skip
            raw.write(part)
            await asyncio.sleep(0.001)
        assert await raw.read_frame() == (10, b"?")
        raw.write(close_frame(1000))
        await raw.read_frame()

    async with raw_server(script) as uri:
        async with face.connect(uri) as client:
            assert [message async for message in client] == ["café", b"12"]


async def test_a_message_that_is_too_big(face: Face) -> None:
    async with pair(face, server={"max_size": 10}) as (client, server):
        await client.send("0123456789")
        await client.send("0123456789a")
        assert await server.recv() == "0123456789"
        with pytest.raises(ConnectionClosedError, match="1009"):
            await client.recv()
        with pytest.raises(ConnectionClosedError, match="1009"):
            await server.recv()


# Receiving.


async def test_iteration_ends_with_a_normal_close(face: Face) -> None:
    async with pair(face) as (client, server):
        for number in range(3):
            await server.send(str(number))
        closing = asyncio.create_task(server.close())
        assert [message async for message in client] == ["0", "1", "2"]
        await closing


async def test_iteration_raises_after_an_error(face: Face) -> None:
    async with pair(face) as (client, server):
        await server.send("a")
        server.fail_connection(1011)
        got = []
        with pytest.raises(ConnectionClosedError):
            async for message in client:
                got.append(message)
        assert got == ["a"]


async def test_receiving_after_close_gives_what_came_before(face: Face) -> None:
    async with pair(face) as (client, server):
        await server.send("one")
        await server.send("two")
        await until(lambda: len(client.messages) == 2)
        await client.close()
        assert await client.recv() == "one"
        assert await client.recv() == "two"
        for _ in range(2):
            with pytest.raises(ConnectionClosedOK):
                await client.recv()


async def test_only_one_task_may_receive(face: Face) -> None:
    async with pair(face) as (client, server):
        first = asyncio.create_task(client.recv())
        await turns(2)
        with pytest.raises(ConcurrencyError, match="another task"):
            await client.recv()
        with pytest.raises(RuntimeError):
            await client.recv()
        await server.send("for the first")
        assert await first == "for the first"


async def test_memory_is_kept_apart_from_what_is_sent(face: Face) -> None:
    """What was handed in may change as soon as send() has returned."""
    async with pair(face, server={"compression": None}) as (client, server):
        for size in (10, 100_000):
            buffer = bytearray(size)
            await server.send(buffer)
            await server.send(memoryview(buffer))
            buffer[:] = b"x" * size
            for _ in range(2):
                assert await client.recv() == bytes(size)


# Pings and pongs.


async def test_ping_measures_latency(face: Face) -> None:
    async with pair(face) as (client, server):
        assert client.latency == 0
        waiter = await client.ping()
        latency = await waiter
        assert latency >= 0
        assert client.latency == latency
        assert server.latency == 0


async def test_ping_payloads(face: Face) -> None:
    async with pair(face) as (client, server):
        first = await client.ping("tèxt")
        with pytest.raises(ConcurrencyError, match="same data"):
            await client.ping("tèxt".encode())
        second = await client.ping(b"")
        await first
        await second
        await (await client.ping("tèxt"))
        with pytest.raises(ProtocolError):
            await client.ping(b"x" * 126)
        with pytest.raises(TypeError):
            await client.ping(42)


async def test_pongs_answer_earlier_pings_too(face: Face) -> None:
    async def script(raw: Raw) -> None:
        await raw.accept()
        for _ in range(3):
            await raw.read_frame()
        raw.write(frame(10, b"unknown") + frame(10, b"b"))
        await raw.read_frame()

    async with raw_server(script) as uri:
        async with face.connect(uri, close_timeout=0.01) as client:
            waiters = [await client.ping(data) for data in "abc"]
            await asyncio.wait(waiters[:2])
            assert not waiters[2].done()
        with pytest.raises(ConnectionClosedError):
            await waiters[2]


async def test_a_ping_waiter_may_be_cancelled(face: Face) -> None:
    async with pair(face) as (client, server):
        waiter = await client.ping()
        waiter.cancel()
        await (await client.ping())


async def test_pongs_without_pings(face: Face) -> None:
    async with pair(face) as (client, server):
        await client.pong()
        await client.pong("hello")
        with pytest.raises(ProtocolError):
            await client.pong(b"x" * 126)
        await client.send("after")
        assert await server.recv() == "after"


async def test_pings_are_answered_while_the_application_does_nothing(
    face: Face,
) -> None:
    async def handler(websocket: Any) -> None:
        await websocket.wait_closed()

    async with face.serve(handler, "localhost", 0) as server:
        async with raw_client(server) as raw:
            await raw.handshake()
            for number in range(3):
                raw.write(frame(9, str(number), mask=True))
                assert await raw.read_frame() == (10, str(number).encode())


async def test_sending_before_the_handshake_is_an_error(face: Face) -> None:
    errors: list[Exception] = []
    go = asyncio.Event()
    module = __import__("websockets")

    class Protocol(module.WebSocketServerProtocol):  # type: ignore[misc, name-defined]
        async def process_request(self, path: str, request_headers: Any) -> None:
            for operation in (self.send("a"), self.ping(), self.pong()):
                try:
                    await operation
                except InvalidState as exc:
                    errors.append(exc)
            go.set()

    async with face.serve(echo, "localhost", 0, create_protocol=Protocol) as server:
        async with face.connect(uri_of(server)):
            assert go.is_set()
    assert len(errors) == 3


async def test_very_many_tiny_messages(face: Face) -> None:
    async with pair(face, {"compression": None}, {"compression": None}) as (
        client,
        server,
    ):

        async def flood() -> None:
            for number in range(20_000):
                await client.send(str(number))

        task = asyncio.create_task(flood())
        for number in range(20_000):
            assert await server.recv() == str(number)
        await task
        await client.send("idle")
        assert await server.recv() == "idle"
