"""Transports in memory do what those of TCP sockets do."""

from __future__ import annotations

import asyncio
import contextvars
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from faces.support import until
from websockets.testing import MemorySocket, MemoryTransport, Network, Wire


class Recorder(asyncio.Protocol):
    """Notes what it's told.

    Attributes:
        told: what it was told; bytes that come in a row as one.

    """

    def __init__(self, keeps_open: bool = False) -> None:
        self.told: list[Any] = []
        self.keeps_open = keeps_open
        self.fault: BaseException | None = None
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.told.append("made")

    def data_received(self, data: bytes) -> None:
        if self.fault is not None:
            raise self.fault
        if isinstance(self.told[-1], bytes):
            data = self.told.pop() + data
        self.told.append(data)

    def eof_received(self) -> bool:
        if self.fault is not None:
            raise self.fault
        self.told.append("eof")
        return self.keeps_open

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")

    def connection_lost(self, exc: BaseException | None) -> None:
        self.told.append(type(exc) if exc else "lost")

    @property
    def lost(self) -> bool:
        return self.told[-1] == "lost" or isinstance(self.told[-1], type)


class Buffered(asyncio.BufferedProtocol):
    """Reads into a buffer of its own."""

    def __init__(self, size: int) -> None:
        self.buffer = bytearray(size)
        self.received: list[bytes] = []

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.received.append(bytes(self.buffer[:nbytes]))


class Pair:
    """Two connected protocols.

    Args:
        kind: "memory" or "tcp".

    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.maker: Any = Network() if kind == "memory" else asyncio.get_running_loop()

    async def connect(self, client: Any = None, server: Any = None) -> tuple[Any, Any]:
        self.client = Recorder() if client is None else client
        self.server = Recorder() if server is None else server
        made = asyncio.get_running_loop().create_future()

        def make() -> Any:
            made.set_result(None)
            return self.server

        self.listener = await self.maker.create_server(make, "127.0.0.1", 0)
        port = self.listener.sockets[0].getsockname()[1]
        await self.maker.create_connection(lambda: self.client, "127.0.0.1", port)
        await made
        await until(lambda: getattr(self.server, "transport", True))
        return self.client, self.server

    def close(self) -> None:
        self.listener.close()
        for protocol in self.client, self.server:
            if isinstance(protocol, Recorder) and not protocol.lost:
                protocol.transport.abort()


@pytest.fixture(params=["memory", "tcp"])
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    made = Pair(request.param)
    yield made
    made.close()
    await asyncio.sleep(0)
    await asyncio.sleep(0)


class TestAsTCP:
    """The same with memory and with sockets."""

    async def test_bytes_go_both_ways(self, pair: Pair) -> None:
        client, server = await pair.connect()
        client.transport.write(b"abc")
        client.transport.writelines([b"de", bytearray(b"f"), memoryview(b"g")])
        server.transport.write(b"")
        server.transport.write(b"hi")
        await until(lambda: server.told[-1] == b"abcdefg")
        await until(lambda: client.told[-1] == b"hi")

    async def test_closing(self, pair: Pair) -> None:
        client, server = await pair.connect()
        client.transport.write(b"abc")
        assert not client.transport.is_closing()
        client.transport.close()
        client.transport.close()
        assert client.transport.is_closing()
        assert not client.lost
        await until(lambda: client.lost and server.lost)
        assert client.told == ["made", "lost"]
        assert server.told == ["made", b"abc", "eof", "lost"]

    async def test_aborting(self, pair: Pair) -> None:
        client, server = await pair.connect()
        client.transport.abort()
        await until(lambda: client.lost and server.lost)
        assert client.told == ["made", "lost"]
        assert server.told == ["made", "eof", "lost"]
        client.transport.abort()
        await asyncio.sleep(0)
        assert client.told == ["made", "lost"]

    async def test_half_closing(self, pair: Pair) -> None:
        client, server = await pair.connect(server=Recorder(keeps_open=True))
        assert client.transport.can_write_eof()
        client.transport.write(b"abc")
        client.transport.write_eof()
        client.transport.write_eof()
        with pytest.raises(RuntimeError):
            client.transport.write(b"too late")
        await until(lambda: server.told[-1] == "eof")
        server.transport.write(b"answer")
        server.transport.close()
        await until(lambda: client.lost and server.lost)
        assert client.told == ["made", b"answer", "eof", "lost"]
        assert server.told == ["made", b"abc", "eof", "lost"]

    async def test_pausing_reading(self, pair: Pair) -> None:
        client, server = await pair.connect()
        assert server.transport.is_reading()
        server.transport.pause_reading()
        assert not server.transport.is_reading()
        client.transport.write(b"abc")
        for _ in range(10):
            await asyncio.sleep(0)
        assert server.told == ["made"]
        server.transport.resume_reading()
        await until(lambda: server.told[-1] == b"abc")

    async def test_backpressure(self, pair: Pair) -> None:
        client, server = await pair.connect()
        server.transport.pause_reading()
        size = 0
        while client.told == ["made"]:
            client.transport.write(bytes(100_000))
            size += 100_000
            assert size < 100_000_000
        assert client.told == ["made", "pause"]
        assert client.transport.get_write_buffer_size() > 2**16
        client.transport.write(b"x")
        assert client.told == ["made", "pause"]
        server.transport.resume_reading()
        await until(lambda: client.told[-1] == "resume")
        await until(lambda: server.told[-1] == bytes(size) + b"x")
        assert client.transport.get_write_buffer_size() == 0

    async def test_closing_with_much_to_write(self, pair: Pair) -> None:
        client, server = await pair.connect()
        client.transport.write(bytes(10_000_000))
        client.transport.close()
        await until(lambda: client.lost and server.lost)
        assert server.told == ["made", bytes(10_000_000), "eof", "lost"]

    async def test_half_closing_with_much_to_write(self, pair: Pair) -> None:
        client, server = await pair.connect()
        client.transport.write(bytes(10_000_000))
        client.transport.write_eof()
        await until(lambda: client.lost and server.lost)
        assert server.told == ["made", bytes(10_000_000), "eof", "lost"]

    async def test_closing_with_something_unread(self, pair: Pair) -> None:
        """It resets the connection."""
        client, server = await pair.connect()
        server.transport.pause_reading()
        client.transport.write(b"abc")
        for _ in range(10):
            await asyncio.sleep(0)
        server.transport.close()
        await until(lambda: client.lost and server.lost)
        assert client.told == ["made", ConnectionResetError]

    async def test_writing_to_one_that_is_gone(self, pair: Pair) -> None:
        client, server = await pair.connect(client=Recorder(keeps_open=True))
        server.transport.close()
        await until(lambda: server.lost and client.told[-1] == "eof")
        client.transport.write(b"abc")
        await asyncio.sleep(0)
        while not client.lost:
            client.transport.write(b"def")
            await asyncio.sleep(0)
        assert client.told[:2] == ["made", "eof"]
        assert issubclass(client.told[2], ConnectionError)

    async def test_reading_into_a_buffer(self, pair: Pair) -> None:
        client, server = await pair.connect(server=Buffered(4))
        client.transport.write(b"abcdefghij")
        await until(lambda: sum(map(len, server.received)) == 10)
        assert server.received == [b"abcd", b"efgh", b"ij"]

    async def test_another_protocol(self, pair: Pair) -> None:
        client, server = await pair.connect()
        other = Recorder()
        other.connection_made(server.transport)
        server.transport.set_protocol(other)
        assert server.transport.get_protocol() is other
        client.transport.write(b"abc")
        await until(lambda: other.told[-1] == b"abc")
        assert server.told == ["made"]

    @pytest.mark.parametrize(
        "high, low, limits",
        [
            *[(None, None, (2**14, 2**16)), (1000, None, (250, 1000))],
            *[(None, 100, (100, 400)), (100, 100, (100, 100)), (0, 0, (0, 0))],
        ],
    )
    async def test_limits(
        self, pair: Pair, high: int | None, low: int | None, limits: tuple[int, int]
    ) -> None:
        client, _ = await pair.connect()
        client.transport.set_write_buffer_limits(high, low)
        if hasattr(client.transport, "get_write_buffer_limits"):
            assert client.transport.get_write_buffer_limits() == limits

    async def test_wrong_limits(self, pair: Pair) -> None:
        client, _ = await pair.connect()
        with pytest.raises(ValueError):
            client.transport.set_write_buffer_limits(1, 2)

    async def test_wrong_data(self, pair: Pair) -> None:
        client, _ = await pair.connect()
        with pytest.raises(TypeError):
            client.transport.write("abc")

    @pytest.mark.parametrize("data", [b"abc", None])
    async def test_a_protocol_that_fails(self, pair: Pair, data: bytes | None) -> None:
        reported: list[dict[str, Any]] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: reported.append(context))
        client, server = await pair.connect()
        server.fault = ZeroDivisionError()
        if data is None:
            client.transport.write_eof()
        else:
            client.transport.write(data)
        await until(lambda: server.lost)
        assert server.told == ["made", ZeroDivisionError]
        assert reported[0]["exception"] is server.fault
        await until(lambda: client.lost)


async def connected(**options: Any) -> tuple[Wire, Recorder, Recorder]:
    wire = Wire(**options)
    wire.make_ends({}, {}, contextvars.copy_context())
    client, server = Recorder(), Recorder()
    wire.client.start(client)
    wire.server.start(server)
    return wire, client, server


class TestMemoryTransport:
    @pytest.mark.parametrize("call", ["write", "write_eof"])
    @pytest.mark.parametrize("fault", [SystemExit, KeyboardInterrupt])
    async def test_what_ends_the_program_does(
        self, call: str, fault: type[BaseException]
    ) -> None:
        wire, client, server = await connected()
        server.fault = fault()
        deliver: Callable[[], None]
        if call == "write":
            deliver = lambda: wire.server.deliver(lambda size: b"a")  # noqa: E731
        else:
            deliver = wire.server.deliver_eof
        with pytest.raises(fault):
            deliver()

    async def test_no_buffer(self) -> None:
        reported: list[dict[str, Any]] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: reported.append(context))
        wire, client, server = await connected()
        wire.server.set_protocol(Buffered(0))
        wire.client.write(b"abc")
        await until(lambda: reported)
        assert "empty buffer" in str(reported[0]["exception"])

    async def test_tls(self) -> None:
        wire, client, server = await connected(secure=True)
        server.keeps_open = True
        assert not wire.client.can_write_eof()
        with pytest.raises(NotImplementedError):
            wire.client.write_eof()
        wire.client.close()
        await until(lambda: server.lost)
        assert server.told == ["made", "eof", "lost"]

    async def test_calls_that_come_late(self) -> None:
        wire, client, server = await connected()
        wire.client.close()
        wire.client.write(b"too late")
        wire.client.write_eof()
        await until(lambda: client.lost and server.lost)
        wire.client.write(b"too late")
        assert server.told == ["made", "eof", "lost"]

    async def test_buffered_data_is_dropped_by_abort(self) -> None:
        wire, client, server = await connected()
        wire.client.write(bytes(100_000))
        wire.to_server.limit_window(100_001)
        wire.client.abort()
        await until(lambda: server.lost)
        assert server.told == ["made", bytes(2**16), "eof", "lost"]

    async def test_lost_before_there_is_a_protocol(self) -> None:
        wire = Wire()
        wire.make_ends({}, {}, contextvars.copy_context())
        wire.reset()
        await asyncio.sleep(0)
        assert wire.closed

    async def test_repr(self) -> None:
        wire, client, server = await connected(number=7)
        assert repr(wire.client) == "<MemoryTransport client of <Wire 7>>"
        wire.client.close()
        assert repr(wire.client) == "<MemoryTransport client of <Wire 7> closing>"
        await until(lambda: client.lost)
        assert repr(wire.client) == "<MemoryTransport client of <Wire 7> lost>"

    async def test_it_is_a_transport(self) -> None:
        wire, _, _ = await connected()
        assert isinstance(wire.client, asyncio.Transport)
        assert isinstance(wire.client, MemoryTransport)


class TestMemorySocket:
    def test_connected(self) -> None:
        sock = MemorySocket(socket.AF_INET, ("127.0.0.1", 80), ("127.0.0.1", 1234))
        assert sock.getsockname() == ("127.0.0.1", 80)
        assert sock.getpeername() == ("127.0.0.1", 1234)
        assert sock.family == socket.AF_INET
        assert sock.type == socket.SOCK_STREAM
        assert sock.fileno() == -1
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0
        assert repr(sock) == ("<MemorySocket ('127.0.0.1', 80) to ('127.0.0.1', 1234)>")

    def test_listening(self) -> None:
        sock = MemorySocket(socket.AF_INET, ("127.0.0.1", 80))
        assert repr(sock) == "<MemorySocket ('127.0.0.1', 80)>"
        with pytest.raises(OSError, match="it listens"):
            sock.getpeername()
