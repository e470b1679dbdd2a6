"""Whatever comes instead of a handshake: it is answered, and others are served."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from faces.support import (
    REQUEST,
    Face,
    Logs,
    Raw,
    close_frame,
    echo,
    frame,
    masked,
    raw_client,
    raw_server,
    uri_of,
)
from websockets.exceptions import ConnectionClosedError, InvalidMessage
from websockets.frames import Close


async def check_served(face: Face, server: Any) -> None:
    """Check that the server serves others."""
    async with face.connect(uri_of(server)) as client:
        await client.send("still there?")
        assert await client.recv() == "still there?"


@pytest.mark.parametrize(
    "data, status, text",
    [
        (b"EHLO mail\r\n\r\n", 400, b"did not receive a valid HTTP request"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, b"valid HTTP request"),
        (b"\x00" * 100 + b"\r\n\r\n", 400, b"did not receive a valid HTTP request"),
        (REQUEST.replace(b"/1.1", b"/1.0") + b"\r\n", 505, b"HTTP/1.0"),
        (REQUEST.replace(b"GET", b"POST") + b"\r\n", 405, b"POST"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 426, b"You need a WebSocket client"),
        (REQUEST + b"Oops\r\n\r\n", 400, b"Oops"),
        (REQUEST + b"A: b\r\n" * 200, 431, b""),
        (REQUEST + b"A: " + b"b" * 100000, 431, b""),
        (b"GET /" + b"x" * 10000, 414, b""),
        (REQUEST.replace(b": 13", b": 12") + b"\r\n", 400, b"Sec-WebSocket-Version"),
        (REQUEST.replace(b"Key: AA", b"Key: ") + b"\r\n", 400, b"Sec-WebSocket-Key"),
        (REQUEST.replace(b"Upgrade: w", b"X: w") + b"\r\n", 426, b"missing Upgrade"),
    ],
    ids=[
        "smtp", "tls", "zeros", "http10", "post", "browser", "no-colon",
        "many-headers", "long-header", "long-path", "version", "key", "no-upgrade",
    ],
)  # fmt: skip
async def test_junk_instead_of_a_request(
    face: Face, logs: Logs, data: bytes, status: int, text: bytes
) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        async with raw_client(server) as raw:
            raw.write(data)
            answer = await raw.read_all()
            assert answer.startswith(b"HTTP/1.1 %d " % status)
            assert text in answer
            assert b"Connection: close" in answer
        await check_served(face, server)
    assert not [r for r in logs.records if r.levelno > 20]


async def test_junk_byte_by_byte(face: Face) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        async with raw_client(server) as raw:
            for byte in b"EHLO\r\n\r\n":
                raw.write(bytes([byte]))
                await asyncio.sleep(0)
            assert b" 400 " in await raw.read_all()


async def test_request_byte_by_byte_is_fine(face: Face) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        async with raw_client(server) as raw:
            for byte in REQUEST + b"\r\n":
                raw.write(bytes([byte]))
                await asyncio.sleep(0)
            status, _ = await raw.read_head()
            assert status == "HTTP/1.1 101 Switching Protocols"


@pytest.mark.parametrize("data", [b"", b"GET / HTTP/1.1\r\nHost: x"])
async def test_a_peer_that_leaves_during_the_handshake(face: Face, data: bytes) -> None:
    async with face.serve(echo, "localhost", 0) as server:
        async with raw_client(server) as raw:
            raw.write(data)
            raw.writer.write_eof()
            assert await raw.read_all() == b""
        async with raw_client(server) as raw:
            raw.write(data)
            raw.writer.transport.abort()
        await check_served(face, server)


async def test_a_slow_handshake_is_cut(face: Face) -> None:
    async with face.serve(echo, "localhost", 0, open_timeout=0.01) as server:
        async with raw_client(server) as raw:
            raw.write(REQUEST)
            assert await raw.read_all() == b""


async def test_messages_that_come_with_the_request_are_read(face: Face) -> None:
    early = masked((1, b"early"), (9, b"ping"), (1, b"bird"))
    async with face.serve(echo, "localhost", 0) as server:
        async with raw_client(server) as raw:
            raw.write(REQUEST + b"\r\n" + early)
            await raw.read_head()
            got = [await raw.read_frame() for _ in range(3)]
            assert sorted(got) == [(1, b"bird"), (1, b"early"), (10, b"ping")]
            assert got.index((1, b"early")) < got.index((1, b"bird"))


async def test_messages_before_the_response_wait(face: Face) -> None:
    """A peer that goes on before it has an answer is read when it has one."""
    go = asyncio.Event()

    async def process_request(path: str, headers: Any) -> None:
        await go.wait()

    async with face.serve(
        echo, "localhost", 0, process_request=process_request
    ) as server:
        async with raw_client(server) as raw:
            raw.write(REQUEST + b"\r\n")
            for _ in range(5):
                raw.write(masked((1, b"early")))
                await asyncio.sleep(0.001)
            go.set()
            await raw.read_head()
            assert [await raw.read_frame() for _ in range(5)] == [(1, b"early")] * 5


# Clients.


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"220 mail.test\r\n\r\n",
        b"HTTP/1.0 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nOops\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgra",
        b"HTTP/1.1 OMG\r\n\r\n",
    ],
)
async def test_junk_instead_of_a_response(face: Face, data: bytes) -> None:
    async def script(raw: Raw) -> None:
        await raw.read_head()
        raw.write(data)

    async with raw_server(script) as uri:
        with pytest.raises(InvalidMessage):
            await face.connect(uri)


async def test_loss_instead_of_a_response(face: Face) -> None:
    async def script(raw: Raw) -> None:
        await raw.read_head()
        raw.writer.transport.abort()

    async with raw_server(script) as uri:
        with pytest.raises(InvalidMessage):
            await face.connect(uri)


async def test_messages_that_come_with_the_response_are_read(face: Face) -> None:
    async def script(raw: Raw) -> None:
        await raw.accept(extra=b"")
        raw.write(frame(1, "early") + frame(2, b"bird") + close_frame(1000))
        assert (await raw.read_frame())[0] == 8

    async with raw_server(script) as uri:
        async with face.connect(uri) as client:
            assert await client.recv() == "early"
            assert await client.recv() == b"bird"
            await client.wait_closed()
            assert client.close_code == 1000


@pytest.mark.parametrize(
    "data, code, reason",
    [
        (frame(1, "a", mask=True), 1002, "incorrect masking"),
        (frame(0, "a"), 1002, "unexpected continuation frame"),
        (frame(1, "a", fin=False) + frame(1, "b"), 1002, "expected a continuation"),
        (b"\xc1\x01a", 1002, "reserved bits must be 0"),
        (b"\x83\x00", 1002, "invalid opcode"),
        (b"\x09\x00", 1002, "fragmented control frame"),
        (b"\x89\x7e\x00\x7e", 1002, "control frame too long"),
        (b"\x88\x01\x00", 1002, "close frame too short"),
        (b"\x88\x02\x03\xee", 1002, "invalid status code"),
        (b"\x81\x01\xff", 1007, "invalid start byte at position 0"),
        (b"\x82\x7f" + b"\x7f" + b"\xff" * 7, 1009, "over size limit|exceeds limit"),
    ],
)
async def test_frames_that_break_the_rules(
    face: Face, data: bytes, code: int, reason: str
) -> None:
    """What came before is delivered; then the error tells what happened."""
    sent: list[Any] = []

    async def script(raw: Raw) -> None:
        await raw.accept()
        raw.write(frame(1, "good") + data)
        opcode, payload = await raw.read_frame()
        sent.append((opcode, Close.parse(payload).code))

    async with raw_server(script) as uri:
        async with face.connect(uri, compression=None) as client:
            assert await client.recv() == "good"
            with pytest.raises(ConnectionClosedError) as caught:
                await client.recv()
            assert caught.value.sent is not None
            assert caught.value.sent.code == code
            assert caught.value.__cause__ is not None
            caught.match(reason)
    assert sent == [(8, code)]


async def test_a_message_before_the_fault_is_answered(face: Face) -> None:
    """Also where both come in one piece, as a server whose handler is waiting."""
    async with face.serve(echo, "localhost", 0) as server:
        async with raw_client(server) as raw:
            raw.write(REQUEST + b"\r\n")
            await raw.read_head()
            raw.write(masked((1, b"first"), (1, b"second")) + b"\x83\x80")
            assert await raw.read_frame() == (1, b"first")
            assert await raw.read_frame() == (1, b"second")
            opcode, payload = await raw.read_frame()
            assert (opcode, Close.parse(payload).code) == (8, 1002)


async def test_many_messages_before_the_fault_are_answered(face: Face) -> None:
    """More than are read at once."""
    number = 600
    async with face.serve(echo, "localhost", 0, max_queue=None) as server:
        async with raw_client(server) as raw:
            raw.write(REQUEST + b"\r\n")
            await raw.read_head()
            raw.write(masked((1, b"x")) * number + b"\x83\x80")
            opcodes = [(await raw.read_frame())[0] for _ in range(number + 1)]
    assert opcodes == [1] * number + [8]


async def test_a_close_frame_inside_a_message(face: Face) -> None:
    """It's answered as usual, but who has received a part is told."""
    ended = []

    async def handler(connection: Any) -> None:
        with pytest.raises(ConnectionClosedError) as caught:
            await connection.recv()
        ended.append(str(caught.value.__cause__))

    async with face.serve(handler, "localhost", 0) as server:
        async with raw_client(server) as raw:
            raw.write(REQUEST + b"\r\n" + frame(1, "part", fin=False, mask=True))
            raw.write(close_frame(1000, mask=True))
            await raw.read_head()
            opcode, payload = await raw.read_frame()
            assert (opcode, Close.parse(payload).code) == (8, 1000)
    assert ended == ["close frame inside a fragmented message"]


async def test_nobody_waits_for_a_message_before_the_fault(face: Face) -> None:
    """The connection fails at once then; the message can still be received."""
    ended = asyncio.Event()
    received = []

    async def handler(connection: Any) -> None:
        await ended.wait()
        received.append(await connection.recv())

    async with face.serve(handler, "localhost", 0) as server:
        async with raw_client(server) as raw:
            raw.write(REQUEST + b"\r\n" + masked((1, b"first")) + b"\x83\x80")
            await raw.read_head()
            opcode, payload = await raw.read_frame()
            assert (opcode, Close.parse(payload).code) == (8, 1002)
            ended.set()
            assert await raw.read_all() == b""
    assert received == ["first"]
