"""Peers that don't keep the rules: sockets that say what a fault wants."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import struct
import termios
from collections.abc import AsyncIterator
from typing import Any

from scene import HOST

from websockets.frames import Frame, Opcode
from websockets.utils import accept_key

__all__ = ["Raw", "raw_client", "raw_server"]

REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    b"Sec-WebSocket-Version: 13\r\n\r\n"
)


class Raw:
    """One end of a connection, with a socket of its own."""

    def __init__(self, sock: socket.socket, masks: bool) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.masks = masks

    async def send(self, data: bytes) -> None:
        """Send bytes."""
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    def frame(self, text: str) -> bytes:
        """Return a frame with text."""
        return Frame(Opcode.TEXT, text.encode()).serialize(mask=self.masks)

    async def send_numbers(self, count: int, size: int = 0) -> None:
        """Send numbered messages."""
        fill = " " * size
        await self.send(b"".join(self.frame(f"{n}{fill}") for n in range(count)))

    async def arrived(self) -> None:
        """Wait until the other end's system has got all that was sent."""
        while True:
            waiting = fcntl.ioctl(self.sock, termios.TIOCOUTQ, struct.pack("i", 0))
            if waiting == struct.pack("i", 0):
                return
            await asyncio.sleep(0.001)

    async def read_head(self) -> bytes:
        """Read a request or a response."""
        loop = asyncio.get_running_loop()
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            data = await loop.sock_recv(self.sock, 1)
            if not data:
                break
            head += data
        return head

    async def accept(self) -> None:
        """Read a request and accept it."""
        head = await self.read_head()
        key = head.lower().partition(b"sec-websocket-key: ")[2].split()[0]
        [line] = [line for line in head.split(b"\r\n") if line.lower().endswith(key)]
        accept = accept_key(line.split()[1].decode()).encode()
        await self.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )

    async def read_all(self) -> bytes:
        """Read to the end, whatever that is."""
        loop = asyncio.get_running_loop()
        data = b""
        with contextlib.suppress(ConnectionError):
            while chunk := await loop.sock_recv(self.sock, 65536):
                data += chunk
        return data

    def reset(self) -> None:
        """End the connection with RST."""
        linger = struct.pack("ii", 1, 0)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.sock.close()

    def half_close(self) -> None:
        """End this side's stream."""
        self.sock.shutdown(socket.SHUT_WR)


@contextlib.asynccontextmanager
async def raw_client(
    port: int, handshake: bool = True, path: bytes = b"/", room: int = 0
) -> AsyncIterator[Raw]:
    """Connect to a server; ``room`` is how many bytes the system may keep."""
    with socket.socket() as sock:
        if room:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        raw = Raw(sock, True)
        await asyncio.get_running_loop().sock_connect(sock, (HOST, port))
        if handshake:
            await raw.send(REQUEST.replace(b" / ", b" " + path + b" "))
            await raw.read_head()
        yield raw


@contextlib.asynccontextmanager
async def raw_server() -> AsyncIterator[tuple[int, Any]]:
    """Listen; give the port, and what accepts a connection."""
    with socket.create_server((HOST, 0)) as listening, contextlib.ExitStack() as stack:
        listening.setblocking(False)

        async def accept(handshake: bool = True) -> Raw:
            loop = asyncio.get_running_loop()
            sock, _ = await loop.sock_accept(listening)
            raw = Raw(stack.enter_context(sock), False)
            if handshake:
                await raw.accept()
            return raw

        yield listening.getsockname()[1], accept
