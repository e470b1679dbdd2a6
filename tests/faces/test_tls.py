"""TLS handshakes on a server: they are half-open connections like any others."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from faces.support import (
    REQUEST,
    Face,
    Logs,
    Raw,
    client_tls,
    echo,
    modern,
    raw_client,
    server_tls,
    turns,
    until,
    uri_of,
)
from websockets import Limits

#: What a ClientHello of 4 KiB begins with.
RECORD = b"\x16\x03\x01\x10\x00\x01\x00\x0f\xfc"


class TLSPeer:
    """A client whose every flight is seen before it is sent."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = client_tls().wrap_bio(
            self.incoming, self.outgoing, server_hostname="localhost"
        )

    def hello(self) -> bytes:
        """Return the ClientHello."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self.outgoing.read()

    async def finish(self) -> bytes:
        """Read the server's flight; return what ends the handshake."""
        while True:
            self.incoming.write(await self.raw.reader.read(65536))
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
                return self.outgoing.read()

    def encrypt(self, data: bytes) -> bytes:
        """Return data as it is sent."""
        self.tls.write(data)
        return self.outgoing.read()

    async def read(self) -> bytes:
        """Read some data."""
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                return self.tls.read()
            self.incoming.write(await self.raw.reader.read(65536))


@contextlib.asynccontextmanager
async def tls_peer(server: Any) -> AsyncIterator[TLSPeer]:
    """Connect to a server, and leave all else to the test."""
    async with raw_client(server) as raw:
        yield TLSPeer(raw)


def serve(face: Face, **kwargs: Any) -> Any:
    """Serve with TLS."""
    return face.serve(echo, "localhost", 0, **{"ssl": server_tls(), **kwargs})


async def greet(face: Face, server: Any) -> None:
    """Be a well-behaved client."""
    async with face.connect(uri_of(server, scheme="wss"), ssl=client_tls()) as client:
        await client.send("a")
        assert await client.recv() == "a"


async def test_too_many_handshakes(face: Face) -> None:
    async with serve(face, limits=Limits(handshakes=2)) as server:
        async with raw_client(server) as first, raw_client(server):
            await until(lambda: server.stats.handshakes == 2)
            async with raw_client(server):
                assert await first.read_all() == b""
                assert server.rejected == {"handshakes": 1}
                await until(lambda: server.stats.handshakes == 2)
                await greet(face, server)
        await until(lambda: not server.securing)
        assert server.rejected == {"handshakes": 2, "lost": 1}


async def test_too_many_after_the_hello(face: Face) -> None:
    async with serve(face, limits=Limits(handshakes=1)) as server:
        async with tls_peer(server) as peer:
            peer.raw.write(peer.hello())
            assert await peer.raw.reader.readexactly(1)
            async with raw_client(server):
                await peer.raw.read_all()
                await until(lambda: len(server.securing) == 1)
        await until(lambda: not server.securing)
        assert server.rejected == {"handshakes": 1, "lost": 1}


async def test_too_many_bytes(face: Face) -> None:
    async with serve(face, limits=Limits(handshake_bytes=5000)) as server:
        async with raw_client(server) as first, raw_client(server) as second:
            first.write(RECORD + bytes(3000))
            await until(lambda: server.admission._bytes > 3000)
            second.write(RECORD + bytes(3000))
            assert await first.read_all() == b""
            assert server.rejected == {"handshake_bytes": 1}
            assert server.stats.handshakes == 1


@pytest.mark.parametrize("begins", [False, True])
async def test_handshakes_that_take_too_long(face: Face, begins: bool) -> None:
    async with serve(face, open_timeout=0.05) as server:
        async with tls_peer(server) as peer:
            if begins:
                peer.raw.write(peer.hello())
            data = await peer.raw.read_all()
            assert bool(data) is begins
        assert server.rejected == {"timeout": 1}
        assert not server.securing


@pytest.mark.parametrize(
    "noise",
    [
        pytest.param(REQUEST + b"\r\n", id="a request"),
        pytest.param(b"\x16\x03\x01\xff\xff" + bytes(100), id="a huge record"),
        pytest.param(b"\x16\x03\x01\x00\x00" + bytes(100), id="an empty record"),
        pytest.param(b"\x16\x03\x01\x00\x05" + bytes(5), id="no ClientHello"),
        pytest.param(b"\x16\x03\x01\x00\x05\x01\0\0\1\0", id="a short ClientHello"),
    ],
)
async def test_what_is_not_tls(face: Face, logs: Logs, noise: bytes) -> None:
    async with serve(face) as server, raw_client(server) as raw:
        raw.write(noise)
        await raw.read_all()
        await until(lambda: not server.securing)
        assert server.rejected == {"tls": 1}
        texts = logs.texts(logging.DEBUG)
        assert any(text.startswith("! TLS handshake failed: ") for text in texts)


async def test_clients_that_trust_nobody(face: Face) -> None:
    async with serve(face) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            async with face.connect(uri_of(server, scheme="wss")):
                pass
        await until(lambda: server.rejected)
        # It may leave without an alert.
        assert server.rejected in ({"tls": 1}, {"lost": 1})


async def test_a_hello_byte_by_byte(face: Face) -> None:
    async with serve(face) as server, tls_peer(server) as peer:
        for byte in peer.hello():
            peer.raw.write(bytes([byte]))
            await peer.raw.writer.drain()
            await turns(1)
        peer.raw.write(await peer.finish())
        await until(lambda: server.live)
        peer.raw.write(peer.encrypt(REQUEST + b"\r\n"))
        assert (await peer.read()).startswith(b"HTTP/1.1 101 ")
    assert server.rejected == {}


async def test_a_hello_in_many_records(face: Face) -> None:
    """Some clients have it in several, so that who looks into it finds less."""
    async with serve(face) as server, tls_peer(server) as peer:
        hello = peer.hello()
        for start in range(5, len(hello), 3):
            part = hello[start : start + 3]
            peer.raw.write(hello[:3] + len(part).to_bytes(2, "big") + part)
            await turns(1)
        peer.raw.write(await peer.finish())
        peer.raw.write(peer.encrypt(REQUEST + b"\r\n"))
        assert (await peer.read()).startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize(
    "hello",
    [
        pytest.param(b"\x16\x03\x01\x00\x04\x01\xff\xff\xff", id="by its header"),
        pytest.param(
            b"\x16\x03\x01\x00\x04\x01\x00\xff\xf0"
            + b"\x16\x03\x01\x00\x01\x00" * 30_000,
            id="in tiny records",
        ),
    ],
)
async def test_a_hello_that_is_too_large(face: Face, hello: bytes) -> None:
    async with serve(face) as server, raw_client(server) as raw:
        raw.write(hello)
        await raw.read_all()
        assert server.rejected == {"too_large": 1}
        await until(lambda: not server.securing)


async def test_a_hello_that_never_ends_does_not_begin_tls(face: Face) -> None:
    """Six bytes would be enough to have the server set up all of it."""
    async with serve(face) as server, raw_client(server) as raw:
        raw.write(b"\x16\x03\x01\x00\x01\x01")
        raw.write(b"\x16\x03\x01\x00\x03\x00\x01\x00")
        await until(lambda: server.admission._bytes == 14)
        await turns(5)
        (handshake,) = server.securing
        assert handshake._task is None


async def test_a_request_in_the_last_flight(face: Face) -> None:
    """It comes before anyone has heard that the handshake has succeeded."""
    async with serve(face) as server, tls_peer(server) as peer:
        peer.raw.write(peer.hello())
        peer.raw.write(await peer.finish() + peer.encrypt(REQUEST + b"\r\n"))
        assert (await peer.read()).startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize("begins", [False, True])
async def test_leaving(face: Face, begins: bool) -> None:
    async with serve(face) as server:
        async with tls_peer(server) as peer:
            await until(lambda: server.securing)
            if begins:
                peer.raw.write(peer.hello())
                assert await peer.raw.reader.readexactly(1)
        await until(lambda: not server.securing)
        assert server.rejected == {"lost": 1}
        await greet(face, server)


async def test_leaving_right_after_the_last_flight(face: Face) -> None:
    async with serve(face) as server:
        async with tls_peer(server) as peer:
            peer.raw.write(peer.hello())
            peer.raw.write(await peer.finish() + peer.encrypt(REQUEST + b"\r\n"))
            peer.raw.writer.write_eof()
            await peer.raw.read_all()
        await until(lambda: not (server.securing or server.live))


@pytest.mark.parametrize("begins", [False, True])
async def test_closing_the_server(face: Face, begins: bool) -> None:
    async with serve(face) as server, tls_peer(server) as peer:
        if begins:
            peer.raw.write(peer.hello())
            assert await peer.raw.reader.readexactly(1)
        await until(lambda: server.securing)
        server.close()
        await server.wait_closed()
        assert not server.securing
        assert server.rejected == {"shutting_down": 1}
        await peer.raw.read_all()


async def test_tasks_that_are_cancelled(face: Face) -> None:
    """asyncio.run() does so with all tasks at its end."""
    async with serve(face) as server, tls_peer(server) as peer:
        peer.raw.write(peer.hello())
        assert await peer.raw.reader.readexactly(1)
        (handshake,) = server.securing
        assert repr(handshake).startswith("<TLSHandshake (")
        handshake._task.cancel()
        await peer.raw.read_all()
        assert not server.securing


@pytest.mark.parametrize(
    "end",
    [lambda it: it._task.cancel(), lambda it: it.cut("shutting_down")],
    ids=["cancelled", "cut"],
)
async def test_an_end_just_before_tls_begins(face: Face, end: Any) -> None:
    async with serve(face) as server, tls_peer(server) as peer:
        await until(lambda: server.securing)
        (handshake,) = server.securing
        server.turns.begin_soon = lambda handshake: None
        handshake.data_received(peer.hello())
        handshake.begin()
        end(handshake)
        await peer.raw.read_all()
        await until(lambda: not server.securing)


async def test_a_connection_that_fails_to_be_made(face: Face) -> None:
    def make(*args: Any, **kwargs: Any) -> Any:
        raise ValueError("not this one")

    name = "create_connection" if face is modern else "create_protocol"
    async with serve(face, **{name: make}) as server, tls_peer(server) as peer:
        peer.raw.write(peer.hello())
        peer.raw.write(await peer.finish())
        await peer.raw.read_all()
        assert not server.live


@pytest.mark.skipif(sys.version_info < (3, 12), reason="came with Python 3.12")
async def test_tasks_that_begin_at_once(face: Face) -> None:
    def make(loop: Any, coro: Any, **kwargs: Any) -> Any:
        return asyncio.Task(coro, loop=loop, **{**kwargs, "eager_start": True})

    async with serve(face) as server:
        asyncio.get_running_loop().set_task_factory(make)
        try:
            await greet(face, server)
        finally:
            asyncio.get_running_loop().set_task_factory(None)
    assert server.rejected == {}


@pytest.mark.parametrize("name", ["ssl_handshake_timeout", "ssl_shutdown_timeout"])
async def test_timeouts_that_make_no_sense(face: Face, name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be positive: 0$"):
        await serve(face, **{name: 0})


async def test_no_timeout(face: Face) -> None:
    async with serve(face, ssl_handshake_timeout=float("inf")) as server:
        await greet(face, server)
    async with serve(face, open_timeout=None) as server:
        await greet(face, server)
