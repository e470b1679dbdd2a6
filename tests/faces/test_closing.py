"""How connections end, and what their errors say."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from faces.support import (
    Face,
    Raw,
    close_frame,
    frame,
    pair,
    pass_time,
    raw_client,
    raw_server,
    turns,
    until,
    uri_of,
)
from websockets.exceptions import (
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidHandshake,
    ProtocolError,
)
from websockets.frames import Close


async def test_closing_normally(face: Face) -> None:
    async with pair(face) as (client, server):
        assert client.open
        assert not client.closed
        assert client.close_code is None
        assert client.close_reason is None
        await client.close(1000, "that's all")
        assert client.closed
        assert not client.open
        assert (client.close_code, client.close_reason) == (1000, "that's all")
        with pytest.raises(ConnectionClosedOK) as caught:
            await client.recv()
        assert str(caught.value) == (
            "sent 1000 (OK) that's all; then received 1000 (OK) that's all"
        )
        with pytest.raises(ConnectionClosedOK) as caught:
            await server.recv()
        assert str(caught.value) == (
            "received 1000 (OK) that's all; then sent 1000 (OK) that's all"
        )
        assert caught.value.rcvd == Close(1000, "that's all")
        assert caught.value.sent == Close(1000, "that's all")
        assert caught.value.rcvd_then_sent is True


async def test_closing_twice_only_waits(face: Face) -> None:
    async with pair(face) as (client, server):
        await asyncio.gather(client.close(1001), client.close(1000), server.close())
        await client.close()
        await client.wait_closed()
        assert client.close_rcvd is not None


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2999, 5000])
async def test_codes_that_cannot_be_sent(face: Face, code: int) -> None:
    async with pair(face) as (client, server):
        with pytest.raises(ProtocolError):
            await client.close(code)
        assert client.open


async def test_a_reason_that_is_too_long(face: Face) -> None:
    async with pair(face) as (client, server):
        with pytest.raises(ProtocolError):
            await client.close(1000, "é" * 62)
        await client.close(1000, "é" * 61)
        assert client.close_reason == "é" * 61


OPERATIONS: list[Any] = [
    lambda ws: ws.recv(),
    lambda ws: ws.send("a"),
    lambda ws: ws.send(["a"]),
    lambda ws: ws.ping(),
    lambda ws: ws.pong(),
    lambda ws: ws.ensure_open(),
]


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_using_a_closed_connection(face: Face, operation: Any) -> None:
    async with pair(face) as (client, server):
        await server.close(4000, "private")
        with pytest.raises(ConnectionClosedError) as caught:
            await operation(client)
        assert str(caught.value) == (
            "received 4000 (private use) private; then sent 4000 (private use) private"
        )


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_using_a_connection_while_it_closes(face: Face, operation: Any) -> None:
    """It waits for the end, so that the error can tell it all."""
    async with pair(face) as (client, server):
        closing = asyncio.create_task(client.close(1001, "bye"))
        await turns(1)
        with pytest.raises(ConnectionClosedOK) as caught:
            await operation(client)
        assert caught.value.rcvd is not None
        assert caught.value.sent is not None
        await closing


async def test_a_close_frame_without_a_code(face: Face) -> None:
    async def script(raw: Raw) -> None:
        await raw.accept()
        raw.write(frame(8))
        assert await raw.read_frame() == (8, b"")

    async with raw_server(script) as uri:
        async with face.connect(uri) as client:
            await client.wait_closed()
            assert (client.close_code, client.close_reason) == (1005, "")
            with pytest.raises(ConnectionClosed, match="1005 .no status received"):
                await client.recv()


@pytest.mark.parametrize("lose", ["close", "abort"])
async def test_losing_the_connection(face: Face, lose: str) -> None:
    go = asyncio.Event()

    async def script(raw: Raw) -> None:
        await raw.accept()
        await go.wait()
        getattr(raw.writer.transport, lose)()

    async with raw_server(script) as uri:
        async with face.connect(uri) as client:
            receiving = asyncio.create_task(client.recv())
            pinging = await client.ping()
            go.set()
            with pytest.raises(ConnectionClosedError) as caught:
                await receiving
            assert str(caught.value) == "no close frame received or sent"
            assert (client.close_code, client.close_reason) == (1006, "")
            with pytest.raises(ConnectionClosedError):
                await pinging


async def test_losing_the_connection_inside_a_message(face: Face) -> None:
    async def script(raw: Raw) -> None:
        await raw.accept()
        raw.write(frame(1, "whole") + frame(1, "half", fin=False) + b"\x80")

    async with raw_server(script) as uri:
        async with face.connect(uri) as client:
            assert await client.recv() == "whole"
            with pytest.raises(ConnectionClosedError) as caught:
                await client.recv()
            assert isinstance(caught.value.__cause__, EOFError)


async def test_a_peer_that_does_not_answer_the_close_is_cut(face: Face) -> None:
    async def script(raw: Raw) -> None:
        await raw.accept()
        await raw.read_all()

    async with raw_server(script) as uri:
        client = await face.connect(uri, close_timeout=20)
        closing = asyncio.create_task(client.close())
        await turns(2)
        pass_time(client, 19)
        await turns(2)
        assert not closing.done()
        pass_time(client, 21)
        await closing
        with pytest.raises(ConnectionClosedError) as caught:
            await client.recv()
        assert str(caught.value) == "sent 1000 (OK); no close frame received"


async def test_pings_are_answered_until_the_close_is(face: Face) -> None:
    """RFC 6455, 5.5.2: only a received close frame ends it."""
    seen = []

    async def script(raw: Raw) -> None:
        await raw.accept()
        seen.append(await raw.read_frame())
        raw.write(frame(9, b"still there?"))
        seen.append(await raw.read_frame())
        raw.write(close_frame(1000))

    async with raw_server(script) as uri:
        client = await face.connect(uri)
        await client.close()
    assert [first for first, _ in seen] == [8, 10]
    assert seen[1][1] == b"still there?"


async def test_a_peer_that_does_not_end_the_stream_is_cut(face: Face) -> None:
    """As a client; as a server we end it ourselves."""
    done = asyncio.Event()

    async def script(raw: Raw) -> None:
        await raw.accept()
        raw.write(close_frame(1000))
        await raw.read_frame()
        await done.wait()

    async with raw_server(script) as uri:
        client = await face.connect(uri)
        await until(lambda: client.close_sent)
        assert not client.closed
        pass_time(client, 10.1)
        await client.wait_closed()
        done.set()
        assert client.close_code == 1000


async def test_a_server_ends_the_stream_first(face: Face) -> None:
    async def handler(websocket: Any) -> None:
        await websocket.close(1001)

    async with face.serve(handler, "localhost", 0) as server:
        async with raw_client(server) as raw:
            await raw.handshake()
            assert await raw.read_frame() == (8, b"\x03\xe9")
            raw.write(close_frame(1001, mask=True))
            assert await raw.read_all() == b""


async def test_cancelling_close_leaves_it_going_on(face: Face) -> None:
    async with pair(face) as (client, server):
        closing = asyncio.create_task(client.close())
        await turns(1)
        closing.cancel()
        await client.wait_closed()
        assert client.close_code == 1000


async def test_cancelling_wait_closed_changes_nothing(face: Face) -> None:
    async with pair(face) as (client, server):
        waiting = [asyncio.create_task(client.wait_closed()) for _ in range(3)]
        await turns(1)
        waiting[1].cancel()
        await turns(1)
        assert client.open
        await server.close()
        await asyncio.wait(waiting)
        assert [task.cancelled() for task in waiting] == [False, True, False]


async def test_messages_before_the_close_are_kept(face: Face) -> None:
    async def script(raw: Raw) -> None:
        await raw.accept()
        raw.write(frame(1, "a") + frame(1, "b") + close_frame(1011, "oops"))
        await raw.read_frame()

    async with raw_server(script) as uri:
        async with face.connect(uri) as client:
            await client.wait_closed()
            assert await client.recv() == "a"
            assert await client.recv() == "b"
            with pytest.raises(
                ConnectionClosedError, match="1011 .internal error. oop"
            ):
                await client.recv()


async def test_a_close_behind_many_messages_is_seen(face: Face) -> None:
    """Whoever waits for the end doesn't wait for messages to be taken."""

    async def script(raw: Raw) -> None:
        await raw.accept()
        for _ in range(100):
            raw.write(frame(2, bytes(1000)))
        raw.write(close_frame(1000))
        await raw.read_frame()

    async with raw_server(script) as uri:
        async with face.connect(uri, max_queue=1, read_limit=200_000) as client:
            await client.wait_closed()
            assert len([message async for message in client]) == 100


async def test_failing_a_connection(face: Face) -> None:
    async with pair(face) as (client, server):
        server.fail_connection(1008, "no" * 100)
        await client.wait_closed()
        assert client.close_code == 1008
        assert client.close_reason == ("no" * 100)[:123]
        server.fail_connection(1011)
        await server.wait_closed()
        server.fail_connection(1011)


async def test_failing_a_connection_without_a_close_frame(face: Face) -> None:
    async with pair(face) as (client, server):
        server.fail_connection()
        await client.wait_closed()
        assert client.close_code == 1006


async def test_the_peer_half_closes(face: Face) -> None:
    """Without a close frame, the end of the stream is the end."""

    async def handler(websocket: Any) -> None:
        with pytest.raises(ConnectionClosedError):
            await websocket.recv()

    async with face.serve(handler, "localhost", 0) as server:
        async with raw_client(server) as raw:
            await raw.handshake()
            raw.writer.write_eof()
            await raw.read_all()


async def test_when_receivers_are_told_the_connection_is_lost(face: Face) -> None:
    """Not before: who is told closes the connection, and that must not wait then."""

    async def handler(websocket: Any) -> None:
        pass

    async with face.serve(handler, "localhost", 0) as server:
        client = await face.connect(uri_of(server))
        with pytest.raises(ConnectionClosedOK):
            await client.recv()
        with pytest.raises(StopIteration):
            client.close().__await__().send(None)


async def test_the_causes_of_a_refusal_come_to_an_end(face: Face) -> None:
    async def script(raw: Raw) -> None:
        await raw.read_head()
        raw.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    async with raw_server(script) as uri:
        with pytest.raises(InvalidHandshake) as caught:
            await face.connect(uri)
    seen: list[BaseException] = []
    exc: BaseException | None = caught.value
    while exc is not None:
        assert exc not in seen
        seen.append(exc)
        exc = exc.__cause__ or exc.__context__
