"""What we exchange with each peer, in both roles, and what must come of it.

Whoever is the server sends every message back, except for these commands:

- ``/close CODE REASON``: close the connection so;
- ``/ping PAYLOAD``: send a ping, and when its pong has come, ``pong PAYLOAD``;
- ``/fragments A B C``: send ``A B C`` in fragments.

It speaks the subprotocols ``chat`` and ``superchat``.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any, NamedTuple, Protocol

import pytest

import websockets

TEXT = "Hello, wörld! 🌍"
BINARY = bytes(range(256))
MIB = 2**20
#: 1 MiB that can't be compressed.
LARGE = random.Random(6455).randbytes(MIB)
#: 100 kB that can.
REDUNDANT = "It can be said once, it can be said twice. " * 2400

#: Seconds for an exchange. A test that fails mustn't wait for a peer for ever.
LIMIT = 20

#: Close codes and reasons that either side may send.
CLOSES = [
    (1000, ""),
    (1000, "done"),
    (3000, "wörld"),
    (4999, "x" * 123),
]
#: Those that programs may send, and pages in browsers may not.
MORE_CLOSES = [(1001, ""), (1008, "policy"), (1011, "error"), (1012, "restart")]


class Seen(NamedTuple):
    """What a server has seen of a connection when it is over."""

    code: int
    reason: str
    subprotocol: str | None
    extensions: list[str]
    #: Bytes that came in after the handshake; None where that isn't known.
    size: int | None = None


# We are the server.


class Counting(websockets.WebSocketServerProtocol):
    """A connection that counts the bytes that come in."""

    size = 0

    def buffer_updated(self, nbytes: int) -> None:
        if self.open:
            self.size += nbytes
        super().buffer_updated(nbytes)


class Service:
    """Our server, and what it has seen of each connection."""

    def __init__(self) -> None:
        self.seen: asyncio.Queue[Seen] = asyncio.Queue()
        self.uri = ""

    async def handler(self, websocket: Counting) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            async for message in websocket:
                await self.answer(websocket, message)
        await websocket.wait_closed()
        assert websocket.close_code is not None
        self.seen.put_nowait(
            Seen(
                websocket.close_code,
                websocket.close_reason or "",
                websocket.subprotocol,
                [extension.name for extension in websocket.extensions],
                websocket.size,
            )
        )

    async def answer(self, websocket: Counting, message: websockets.Data) -> None:
        match message.split(" ", 1) if isinstance(message, str) else []:
            case ["/close", code_and_reason]:
                code, _, reason = code_and_reason.partition(" ")
                await websocket.close(int(code), reason)
            case ["/ping", payload]:
                await (await websocket.ping(payload))
                await websocket.send(f"pong {payload}")
            case ["/fragments", text]:
                await websocket.send(fragment + " " for fragment in text.split())
            case _:
                await websocket.send(message)


@contextlib.asynccontextmanager
async def our_server(**options: Any) -> AsyncIterator[Service]:
    """Start our server."""
    service = Service()
    async with websockets.serve(
        service.handler,
        "127.0.0.1",
        0,
        create_protocol=Counting,
        subprotocols=["chat", "superchat"],
        **options,
    ) as server:
        host, port = server.sockets[0].getsockname()
        service.uri = f"ws://{host}:{port}/"
        yield service


#: What the exchanges of a peer that is a client give: a JSON value for each.
RESULTS = {
    "text": TEXT,
    "empty": "",
    "binary": BINARY.hex(),
    "large": [MIB, True],
    "fragments_from_us": "one two three ",
    "ping_from_us": "pong are you there?",
    "subprotocol": "chat",
    # Not all peers can do these.
    "compressed": [True, True],
    "fragments_from_peer": "one two three",
    "ping_from_peer": "are you there?",
}


class PeerIsClient:
    """Exchanges with a client; subclasses say how to run it."""

    closes: list[tuple[int, str]] = CLOSES + MORE_CLOSES

    async def run(self, uri: str, name: str, *arguments: str) -> Any:
        """Run an exchange of the peer, and return its result."""
        raise NotImplementedError

    async def exchange(self, name: str) -> Seen:
        async with asyncio.timeout(LIMIT), our_server() as service:
            result = await self.run(service.uri, name)
            assert result == RESULTS[name]
            return await service.seen.get()

    async def test_text(self) -> None:
        seen = await self.exchange("text")
        assert seen.code == 1000
        assert seen.subprotocol is None

    async def test_empty(self) -> None:
        await self.exchange("empty")

    async def test_binary(self) -> None:
        await self.exchange("binary")

    async def test_large(self) -> None:
        await self.exchange("large")

    async def test_without_compression(self) -> None:
        async with asyncio.timeout(LIMIT), our_server(compression=None) as service:
            assert await self.run(service.uri, "text") == TEXT
            assert (await service.seen.get()).extensions == []

    async def test_fragments_from_us(self) -> None:
        await self.exchange("fragments_from_us")

    async def test_ping_from_us(self) -> None:
        await self.exchange("ping_from_us")

    async def test_subprotocol(self) -> None:
        seen = await self.exchange("subprotocol")
        assert seen.subprotocol == "chat"

    async def test_close_from_peer(self) -> None:
        async with asyncio.timeout(LIMIT), our_server() as service:
            for code, reason in self.closes:
                await self.run(service.uri, "close_from_peer", str(code), reason)
                assert (await service.seen.get())[:2] == (code, reason)

    async def test_close_from_us(self) -> None:
        async with asyncio.timeout(LIMIT), our_server() as service:
            for code, reason in CLOSES + MORE_CLOSES:
                command = f"/close {code} {reason}"
                result = await self.run(service.uri, "close_from_us", command)
                assert result == [code, reason]
                # What the peer answers is its own affair; that it does is not.
                assert (await service.seen.get()).code != 1006


class PeerCompresses(PeerIsClient):
    """Exchanges with a client that can compress."""

    async def test_compressed(self) -> None:
        seen = await self.exchange("compressed")
        assert seen.extensions == ["permessage-deflate"]
        assert seen.size is not None
        # It comes twice.
        assert 0 < seen.size < len(REDUNDANT) / 10


class PeerSendsFragments(PeerIsClient):
    """Exchanges with a client that can send fragments."""

    async def test_fragments_from_peer(self) -> None:
        await self.exchange("fragments_from_peer")


class PeerSendsPings(PeerIsClient):
    """Exchanges with a client that can send pings."""

    async def test_ping_from_peer(self) -> None:
        await self.exchange("ping_from_peer")


# We are the client.


class PeerServer(Protocol):
    """A running server of a peer."""

    #: Where it listens.
    uri: str

    async def seen(self) -> Seen:
        """Return what it has seen of the connection that is over."""


class CountingClient(websockets.WebSocketClientProtocol):
    """A connection that counts the bytes that come in."""

    size = 0

    def buffer_updated(self, nbytes: int) -> None:
        if self.open:
            self.size += nbytes
        super().buffer_updated(nbytes)


class PeerIsServer:
    """Exchanges with a server, which subclasses give as the fixture ``peer``."""

    @contextlib.asynccontextmanager
    async def connect(
        self, peer: PeerServer, **options: Any
    ) -> AsyncIterator[CountingClient]:
        async with (
            asyncio.timeout(LIMIT),
            websockets.connect(
                peer.uri, create_protocol=CountingClient, **options
            ) as websocket,
        ):
            assert isinstance(websocket, CountingClient)
            yield websocket

    async def echo(self, peer: PeerServer, message: Any, **options: Any) -> Any:
        async with self.connect(peer, **options) as websocket:
            await websocket.send(message)
            return await websocket.recv()

    @pytest.mark.parametrize("message", [TEXT, "", BINARY, b""])
    async def test_message(self, peer: PeerServer, message: Any) -> None:
        assert await self.echo(peer, message) == message
        seen = await peer.seen()
        assert seen.code == 1000
        assert not seen.subprotocol

    async def test_large_messages(self, peer: PeerServer) -> None:
        assert await self.echo(peer, LARGE) == LARGE
        assert await self.echo(peer, LARGE, compression=None) == LARGE
        assert await self.echo(peer, "x" * MIB) == "x" * MIB

    async def test_compressed(self, peer: PeerServer) -> None:
        async with self.connect(peer) as websocket:
            (extension,) = websocket.extensions
            assert extension.name == "permessage-deflate"
            for message in (REDUNDANT, REDUNDANT, REDUNDANT.encode(), TEXT):
                await websocket.send(message)
                assert await websocket.recv() == message
            assert 0 < websocket.size < len(REDUNDANT) / 10

    async def test_without_compression(self, peer: PeerServer) -> None:
        async with self.connect(peer, compression=None) as websocket:
            assert not websocket.extensions
            await websocket.send(REDUNDANT)
            assert await websocket.recv() == REDUNDANT
            assert websocket.size > len(REDUNDANT)
        assert (await peer.seen()).extensions == []

    @pytest.mark.parametrize("compression", ["deflate", None])
    async def test_fragments_from_us(
        self, peer: PeerServer, compression: str | None
    ) -> None:
        async def generate() -> AsyncIterator[bytes]:
            for start in range(0, len(BINARY), 100):
                yield BINARY[start : start + 100]

        async with self.connect(peer, compression=compression) as websocket:
            await websocket.send(["one ", "two ", "three"])
            assert await websocket.recv() == "one two three"
            await websocket.send(generate())
            assert await websocket.recv() == BINARY

    async def test_ping_from_us(self, peer: PeerServer) -> None:
        async with self.connect(peer) as websocket:
            for payload in ("are you there?", b"", b"x" * 125, None):
                assert await (await websocket.ping(payload)) >= 0

    async def test_ping_from_peer(self, peer: PeerServer) -> None:
        assert await self.echo(peer, "/ping hello?") == "pong hello?"

    async def test_subprotocol(self, peer: PeerServer) -> None:
        async with self.connect(peer, subprotocols=["soap", "chat"]) as websocket:
            assert websocket.subprotocol == "chat"
        assert (await peer.seen()).subprotocol == "chat"

    async def test_many_messages_at_once(self, peer: PeerServer) -> None:
        async with self.connect(peer) as websocket:
            messages = [str(number) for number in range(1000)]
            for message in messages:
                await websocket.send(message)
            assert [await websocket.recv() for _ in messages] == messages

    @pytest.mark.parametrize(("code", "reason"), CLOSES + MORE_CLOSES)
    async def test_close_from_us(
        self, peer: PeerServer, code: int, reason: str
    ) -> None:
        async with self.connect(peer) as websocket:
            await websocket.close(code, reason)
            # What the peer answers is its own affair; that it does is not.
            assert websocket.close_rcvd is not None
        assert (await peer.seen())[:2] == (code, reason)

    @pytest.mark.parametrize(("code", "reason"), CLOSES + MORE_CLOSES)
    async def test_close_from_peer(
        self, peer: PeerServer, code: int, reason: str
    ) -> None:
        async with self.connect(peer) as websocket:
            await websocket.send(f"/close {code} {reason}")
            with pytest.raises(websockets.ConnectionClosed) as raised:
                await websocket.recv()
        expected = (
            websockets.ConnectionClosedOK
            if code in (1000, 1001)
            else websockets.ConnectionClosedError
        )
        assert type(raised.value) is expected
        assert raised.value.rcvd == websockets.frames.Close(code, reason)
        assert (websocket.close_code, websocket.close_reason) == (code, reason)


class PeerServerSendsFragments(PeerIsServer):
    """Exchanges with a server that can send fragments."""

    @pytest.mark.parametrize("compression", ["deflate", None])
    async def test_fragments_from_peer(
        self, peer: PeerServer, compression: str | None
    ) -> None:
        answer = await self.echo(peer, "/fragments a b c", compression=compression)
        assert answer == "a b c "
