"""What a peer has said before it resets the connection isn't lost."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import socket
import struct
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from faces.support import REQUEST, Face, close_frame, frame, port_of, until
from websockets.classic.protocol import WebSocketCommonProtocol
from websockets.exceptions import ConnectionClosedError, InvalidHandshake
from websockets.utils import accept_key

ROLES = ["client", "server"]


class Peer:
    """
    A socket at the other end of one of our connections.

    What it says is in our system's buffer at once, and our end hasn't read it: a test
    decides what is read before the reset.
    """

    def __init__(self, sock: socket.socket, masks: bool) -> None:
        self.sock = sock
        self.masks = masks

    def frames(self, *messages: bytes) -> bytes:
        """Return frames with binary messages."""
        return b"".join(frame(2, data, mask=self.masks) for data in messages)

    def say(self, data: bytes) -> None:
        """Send bytes."""
        self.sock.settimeout(10)
        self.sock.sendall(data)

    def has_arrived(self) -> bool:
        """Tell whether our system has got all that was said."""
        import fcntl
        import termios

        return not int.from_bytes(fcntl.ioctl(self.sock, termios.TIOCOUTQ, bytes(4)))

    def reset(self) -> None:
        """End the connection with RST."""
        linger = struct.pack("ii", 1, 0)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.sock.close()

    async def read_head(self) -> bytes:
        """Read a request or a response."""
        self.sock.setblocking(False)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += await asyncio.get_running_loop().sock_recv(self.sock, 1)
        return head


@contextlib.asynccontextmanager
async def server_and_peer(
    face: Face, path: str | None = None, **kwargs: Any
) -> AsyncIterator[tuple[Any, Peer]]:
    """Give a server's connection, and the socket of its client."""
    loop = asyncio.get_running_loop()
    accepted: asyncio.Future[Any] = loop.create_future()

    async def handler(connection: Any) -> None:
        accepted.set_result(connection)
        await connection.wait_closed()

    serving = (
        face.serve(handler, "127.0.0.1", 0, **kwargs)
        if path is None
        else face.unix_serve(handler, path, **kwargs)
    )
    family = socket.AF_INET if path is None else socket.AF_UNIX
    async with serving as server:
        with socket.socket(family) as sock:
            sock.setblocking(False)
            address: Any = ("127.0.0.1", port_of(server)) if path is None else path
            await loop.sock_connect(sock, address)
            peer = Peer(sock, masks=True)
            peer.say(REQUEST + b"\r\n")
            await peer.read_head()
            yield await accepted, peer


@contextlib.asynccontextmanager
async def client_and_peer(face: Face, **kwargs: Any) -> AsyncIterator[tuple[Any, Peer]]:
    """Give a client's connection, and the socket of its server."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)

        async def accept() -> Peer:
            sock, _ = await asyncio.get_running_loop().sock_accept(listening)
            peer = Peer(sock, masks=False)
            head = (await peer.read_head()).decode()
            _, _, rest = head.partition("Sec-WebSocket-Key: ")
            key = accept_key(rest.partition("\r\n")[0])
            peer.say(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + key.encode() + b"\r\n\r\n"
            )
            return peer

        accepting = asyncio.create_task(accept())
        uri = f"ws://127.0.0.1:{listening.getsockname()[1]}/"
        async with face.connect(uri, **kwargs) as client:
            peer = await accepting
            with peer.sock:
                yield client, peer


def connection_and_peer(face: Face, role: str, **kwargs: Any) -> Any:
    """Give a connection of ours in that role, and its peer."""
    return (client_and_peer if role == "client" else server_and_peer)(face, **kwargs)


async def make_pair(factory: type[WebSocketCommonProtocol]) -> tuple[Any, Peer]:
    """Make an open client's connection of that class, and its peer."""
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(factory, sock=ours)
    connection.is_client = True
    connection.connection_open()
    return connection, Peer(theirs, masks=False)


async def notice(connection: Any) -> None:
    """Have a connection find out from writing that it was reset."""
    # The first write is told of the reset, and asyncio reads no more.
    await connection.send("too late")
    await connection.wait_closed()


async def receive_all(connection: Any) -> list[Any]:
    """Receive to the end."""
    messages = []
    with contextlib.suppress(ConnectionClosedError):
        while True:
            messages.append(await connection.recv())
    return messages


@pytest.mark.parametrize("role", ROLES)
async def test_what_came_before_a_reset_is_received(face: Face, role: str) -> None:
    messages = [b"%d" % number for number in range(1000)]
    async with connection_and_peer(face, role, max_queue=None) as (connection, peer):
        peer.say(peer.frames(*messages))
        peer.reset()
        await notice(connection)
        assert await receive_all(connection) == messages
        assert connection.close_code == 1006


@pytest.mark.skipif(sys.platform != "linux", reason="others tell it in other ways")
@pytest.mark.parametrize("role", ROLES)
async def test_what_had_to_wait_before_a_reset_is_received(
    face: Face, role: str
) -> None:
    """The application is slow, so that nothing is read when the reset comes."""
    async with connection_and_peer(face, role, max_queue=2) as (connection, peer):
        messages = [bytes(2**15)] * 3 + [b"%d" % number for number in range(1000)]
        peer.say(peer.frames(*messages[:3]))
        await until(lambda: connection.stats.reading_pauses)
        peer.say(peer.frames(*messages[3:]))
        await until(peer.has_arrived)
        peer.reset()
        await notice(connection)
        assert await receive_all(connection) == messages


async def test_the_rest_of_a_large_message(face: Face) -> None:
    async with server_and_peer(face) as (server, peer):
        message = bytes(range(256)) * 800
        data = peer.frames(message, b"another")
        peer.say(data[: 2**17])
        await until(lambda: server.stats.bytes_received > 2**17)
        peer.say(data[2**17 :])
        peer.reset()
        await notice(server)
        assert await receive_all(server) == [message, b"another"]


async def test_a_task_that_waits_has_the_message(face: Face) -> None:
    async with server_and_peer(face) as (server, peer):
        receiving = asyncio.create_task(receive_all(server))
        await asyncio.sleep(0)
        peer.say(peer.frames(b"one", b"two"))
        peer.reset()
        await notice(server)
        assert await receiving == [b"one", b"two"]


async def test_a_close_frame_before_a_reset_is_seen(face: Face) -> None:
    async with server_and_peer(face) as (server, peer):
        peer.say(peer.frames(b"bye") + close_frame(4000, "gone", mask=True))
        peer.reset()
        await notice(server)
        assert await receive_all(server) == [b"bye"]
        assert (server.close_code, server.close_reason) == (4000, "gone")


async def test_a_pong_before_a_reset_counts(face: Face) -> None:
    async with server_and_peer(face) as (server, peer):
        pong = await server.ping(b"there?")
        peer.say(frame(10, b"there?", mask=True))
        peer.reset()
        await notice(server)
        assert await pong > 0


async def test_a_fault_before_a_reset_is_told(face: Face) -> None:
    async with server_and_peer(face) as (server, peer):
        peer.say(peer.frames(b"fine") + frame(2, b"not masked"))
        peer.reset()
        await notice(server)
        assert await receive_all(server) == [b"fine"]
        with pytest.raises(ConnectionClosedError) as caught:
            await server.recv()
        assert caught.value.sent is not None
        assert caught.value.sent.code == 1002


async def test_senders_do_not_go_on(
    face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    """What they send is lost, and asyncio logs a warning for each write."""
    async with server_and_peer(face) as (server, peer):
        peer.say(peer.frames(b"one"))
        peer.reset()
        with pytest.raises(ConnectionClosedError):
            for _ in range(3):
                await server.send(bytes(2**18))
        assert await receive_all(server) == [b"one"]
        for _ in range(20):
            with pytest.raises(ConnectionClosedError):
                await server.send(bytes(2**18))
    assert not [record for record in caplog.records if record.name == "asyncio"]


async def test_broadcasts_do_not_go_on(
    face: Face, caplog: pytest.LogCaptureFixture
) -> None:
    async with server_and_peer(face) as (server, peer):
        peer.reset()
        for _ in range(20):
            face.broadcast([server], bytes(2**18))
        # The first write finds out, and only what has left counts.
        assert server.stats.bytes_sent < 2 * 2**18
        await server.wait_closed()
    assert not [record for record in caplog.records if record.name == "asyncio"]


async def test_a_transport_that_is_closed_and_has_to_write_yet(face: Face) -> None:
    """It is no transport that has failed: nothing is left out."""
    async with server_and_peer(face, compression=None) as (server, peer):
        loop = asyncio.get_running_loop()
        sending = [loop.create_task(server.send(bytes(2**23)))]
        await until(lambda: server.transport.get_write_buffer_size())
        server.transport.close()
        sending.append(loop.create_task(server.send(b"large" * 2**16)))
        await asyncio.sleep(0)
        face.broadcast([server], b"small")
        peer.sock.setblocking(False)
        received = b""
        while chunk := await loop.sock_recv(peer.sock, 2**20):
            received += chunk
        assert received.count(b"large") == 2**16
        assert received.endswith(b"small")
        await asyncio.gather(*sending, return_exceptions=True)


async def test_an_override_that_fails(clean_loop: list[dict[str, Any]]) -> None:
    class Failing(WebSocketCommonProtocol):
        def data_received(self, data: bytes) -> None:
            raise RuntimeError("not these")

    connection, peer = await make_pair(Failing)
    peer.say(peer.frames(b"one"))
    peer.reset()
    await notice(connection)
    assert connection.close_code == 1006
    assert connection.protocol.eof_sent
    assert [str(context["exception"]) for context in clean_loop] == ["not these"]
    clean_loop.clear()


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy", b"nonsense\r\n"]
)
async def test_a_server_that_refuses_before_it_is_asked(
    face: Face, answer: bytes
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        ours = socket.create_connection(address)
        theirs, _ = listening.accept()
        peer = Peer(theirs, masks=False)
        peer.say(answer)
        peer.reset()
        with pytest.raises(InvalidHandshake) as caught:
            await face.connect(f"ws://127.0.0.1:{address[1]}/", sock=ours)
        assert ("503" in str(caught.value)) is (b"503" in answer)


async def test_unix_sockets(face: Face, tmp_path: pathlib.Path) -> None:
    async with server_and_peer(face, str(tmp_path / "socket")) as (server, peer):
        peer.say(peer.frames(b"one", b"two"))
        peer.reset()
        await notice(server)
        assert await receive_all(server) == [b"one", b"two"]


async def test_those_who_see_the_bytes_see_these() -> None:
    """Subclasses may override data_received()."""
    seen = []

    class Watching(WebSocketCommonProtocol):
        def data_received(self, data: bytes) -> None:
            seen.append(data)
            super().data_received(data)

    connection, peer = await make_pair(Watching)
    peer.say(peer.frames(b"one"))
    peer.reset()
    await notice(connection)
    assert b"".join(seen) == peer.frames(b"one")
