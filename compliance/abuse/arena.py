"""What attacks are made of, and where they take place.

An attack is an async function of an :class:`Arena`, put into the table by
:func:`attack`. ``run.py`` runs each against a fresh server process, while a
well-behaved client visits the same server.
"""

from __future__ import annotations

import asyncio
import base64
import collections
import contextlib
import dataclasses
import os
import ssl
import struct
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

Function = Callable[["Arena"], Awaitable[None]]

#: A handshake request, without its last empty line.
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: " + base64.b64encode(bytes(16)) + b"\r\n"
)


@dataclasses.dataclass(frozen=True)
class Attack:
    """
    An attack, and what the server must hold out.

    Attributes:
        name: what the table calls it.
        function: does it.
        ends: how attacked connections may end; see :meth:`Arena.watch_end`.
        handler: what the server does with connections; see ``target.HANDLERS``.
        options: arguments of ``serve()``, as JSON; see ``target.make_options``.
        memory: MiB that the server may take more than before.
        stall: milliseconds that an iteration of its event loop may take.
        latency: milliseconds that the well-behaved client may wait.

    """

    name: str
    function: Function
    ends: Collection[str]
    handler: str = "echo"
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    memory: float = 64
    stall: float = 50
    latency: float = 100


#: All attacks, by name.
ATTACKS: dict[str, Attack] = {}


def attack(name: str, **details: Any) -> Callable[[Function], Function]:
    """Put a function into the table of attacks; the details are Attack's."""

    def put(function: Function) -> Function:
        ATTACKS[name] = Attack(name, function, **details)
        return function

    return put


class Peer:
    """A connection of the attacker: a stream that says what it is told to say."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.reader = reader
        self.writer = writer

    async def write(self, data: bytes) -> None:
        """Write as much as the server takes, and no more at once."""
        self.writer.write(data)
        await self.writer.drain()

    async def open(self, *headers: bytes) -> None:
        """Shake hands; headers are lines without their end."""
        await self.write(REQUEST + b"".join(b"%b\r\n" % h for h in headers) + b"\r\n")
        head = await self.reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101 "):
            raise ConnectionError(head.decode(errors="replace").partition("\r\n")[0])

    def reset(self) -> None:
        """Leave without a word."""
        self.writer.transport.abort()


class Arena:
    """
    What an attack may use.

    Args:
        port: the server's.
        tls: whether it expects TLS.

    Attributes:
        port: the server's.
        ends: how many attacked connections ended how; an attack fills it with
            :meth:`watch_end`, or by itself.

    """

    def __init__(self, port: int, tls: bool = False) -> None:
        self.port = port
        self.tls = tls
        self.ends: collections.Counter[str] = collections.Counter()
        self._peers: list[Peer] = []
        # Fewer than the backlog that servers have by default: what the system turns
        # away never reaches the server.
        self._connecting = asyncio.Semaphore(50)

    async def connect(self, *, source: str | None = None, tls: bool = True) -> Peer:
        """
        Connect to the server.

        Args:
            source: address to come from: any in 127.0.0.0/8; None for 127.0.0.1.
            tls: False not to begin TLS even if the server expects it.

        """
        options: dict[str, Any] = {}
        if self.tls and tls:
            options["ssl"] = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            options["ssl"].check_hostname = False
            options["ssl"].verify_mode = ssl.CERT_NONE
        if source is not None:
            options["local_addr"] = (source, 0)
        async with self._connecting:
            streams = await asyncio.open_connection("127.0.0.1", self.port, **options)
        peer = Peer(*streams)
        self._peers.append(peer)
        return peer

    async def all(self, number: int, one: Callable[[int], Awaitable[None]]) -> None:
        """Do something so many times at once."""
        await asyncio.gather(*(one(index) for index in range(number)))

    async def watch_end(
        self, peer: Peer, within: float = 15, *, encrypted: bool = False
    ) -> None:
        """
        Read to the end, and note what it was.

        That is "101" ... "503" if the last thing that came was a response, "close
        1009" for a close frame with that code, "end" for nothing of the sort, "reset",
        or "still open" if there was no end ``within`` so many seconds. What comes
        ``encrypted`` isn't looked at.
        """
        tail = b""
        try:
            async with asyncio.timeout(within):
                while data := await peer.reader.read(2**16):
                    tail = b"" if encrypted else (tail + data)[-(2**12) :]
            self.ends[describe(tail)] += 1
        except TimeoutError:
            self.ends["still open"] += 1
        except OSError:
            self.ends[describe(tail, "reset")] += 1
        finally:
            peer.reset()

    def leave(self) -> None:
        """Leave without a word, with all connections."""
        for peer in self._peers:
            peer.reset()


def describe(tail: bytes, otherwise: str = "end") -> str:
    """Say what the last bytes that came were; see :meth:`Arena.watch_end`."""
    head = tail.rfind(b"HTTP/1.1 ")
    if head >= 0 and tail[head + 9 : head + 12] != b"101":
        return tail[head + 9 : head + 12].decode()
    # The reason is at most 123 bytes long.
    for size in range(2, min(len(tail) - 1, 126)):
        start = len(tail) - size - 2
        if tail[start : start + 2] == bytes([0x88, size]):
            return f"close {struct.unpack('!H', tail[start + 2 : start + 4])[0]}"
    return "101" if head >= 0 else otherwise


def mask(data: bytes) -> bytes:
    """Return data masked with a key, behind that key."""
    key = os.urandom(4)
    keys = (key * (len(data) // 4 + 1))[: len(data)]
    number = int.from_bytes(data, "big") ^ int.from_bytes(keys, "big")
    return key + number.to_bytes(len(data), "big")


def frame(opcode: int, data: bytes = b"", *, fin: bool = True) -> bytes:
    """Return a frame as clients send it."""
    first = opcode | (0x80 if fin else 0)
    if len(data) < 126:
        head = struct.pack("!BB", first, 0x80 | len(data))
    elif len(data) < 2**16:
        head = struct.pack("!BBH", first, 0x80 | 126, len(data))
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, len(data))
    return head + mask(data)


async def drip(peer: Peer, data: bytes, pause: float) -> None:
    """Write byte by byte, until the server has had enough."""
    with contextlib.suppress(OSError):
        for index in range(len(data)):
            await peer.write(data[index : index + 1])
            await asyncio.sleep(pause)
