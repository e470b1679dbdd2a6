"""Attacks on the opening handshake."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl

from arena import REQUEST, Arena, attack, drip

#: More than the half-open handshakes that a server has at once by default.
MANY = 1200

#: How those end who are too many, too slow, or gone.
CUT = {"503", "end", "reset"}

QUICK = {"open_timeout": 3}


@attack("silent connections", ends=CUT, options=QUICK)
async def silent(arena: Arena) -> None:
    """Connect, and say nothing."""

    async def one(index: int) -> None:
        await arena.watch_end(await arena.connect())

    await arena.all(MANY, one)


@attack("half a request each", ends=CUT, options=QUICK)
async def halves(arena: Arena) -> None:
    """Send half a request, and no more."""

    async def one(index: int) -> None:
        peer = await arena.connect()
        await peer.write(REQUEST)
        await arena.watch_end(peer)

    await arena.all(MANY, one)


@attack("requests byte by byte", ends=CUT, options=QUICK)
async def slow(arena: Arena) -> None:
    """Send a request as slowly as that."""

    async def one(index: int) -> None:
        peer = await arena.connect()
        dripping = asyncio.create_task(drip(peer, REQUEST, 0.2))
        await arena.watch_end(peer)
        await dripping

    await arena.all(1000, one)


async def send_headers(arena: Arena, line: bytes, count: int) -> None:
    """Have a thousand peers send a request with so many headers, and no end."""

    async def one(index: int) -> None:
        peer = await arena.connect()
        with contextlib.suppress(OSError):
            await peer.write(REQUEST)
            for number in range(count):
                await peer.write(line % number)
        await arena.watch_end(peer)

    await arena.all(1000, one)


@attack("endless headers, 1 MiB each", ends={"431", "reset", "503"})
async def endless_headers(arena: Arena) -> None:
    """Send a megabyte of headers."""
    line = b"X-%d: " + b"x" * 1000 + b"\r\n"

    await send_headers(arena, line, 1024)


@attack("a line without end, 1 MiB each", ends={"414", "431", "reset", "503"})
async def endless_line(arena: Arena) -> None:
    """Send a megabyte without the end of a line."""

    async def one(index: int) -> None:
        peer = await arena.connect()
        with contextlib.suppress(OSError):
            await peer.write(b"GET /")
            for _ in range(16):
                await peer.write(b"x" * 2**16)
        await arena.watch_end(peer)

    await arena.all(1000, one)


@attack("large requests in part", ends=CUT, options=QUICK, memory=96)
async def large_parts(arena: Arena) -> None:
    """Have the server keep as much as a request may have, and no more."""
    line = b"X-%d: " + b"x" * 8000 + b"\r\n"

    await send_headers(arena, line, 7)


@attack("noise", ends={"400", "end", "reset", "503"})
async def noise(arena: Arena) -> None:
    """Send what isn't HTTP."""

    async def one(index: int) -> None:
        peer = await arena.connect()
        with contextlib.suppress(OSError):
            await peer.write(b"\0" + os.urandom(2**14))
        await arena.watch_end(peer)

    await arena.all(1000, one)


@attack(
    "refused, and not leaving",
    ends={"426", "reset", "503"},
    options={"close_timeout": None},
)
async def refused(arena: Arena) -> None:
    """Be refused, and stay."""

    async def one(index: int) -> None:
        peer = await arena.connect()
        await peer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await peer.reader.readuntil(b"\r\n\r\n")
        # The other half of the connection stays open: the server must cut it.
        with contextlib.suppress(OSError):
            async with asyncio.timeout(15):
                while True:
                    await peer.write(b"x")
                    await asyncio.sleep(0.5)
        arena.ends["reset" if peer.writer.is_closing() else "still open"] += 1

    await arena.all(500, one)


@attack("silent where TLS is spoken", ends=CUT, options={"ssl": True, **QUICK})
async def silent_tls(arena: Arena) -> None:
    """Connect, and don't begin TLS."""

    async def one(index: int) -> None:
        await arena.watch_end(await arena.connect(tls=False))

    await arena.all(MANY, one)


@attack("half a ClientHello each", ends=CUT, options={"ssl": True, **QUICK})
async def half_hello(arena: Arena) -> None:
    """Begin TLS, and stop in the middle of the first record."""
    hello = client_hello()

    async def one(index: int) -> None:
        peer = await arena.connect(tls=False)
        await peer.write(hello[: len(hello) // 2])
        await arena.watch_end(peer)

    await arena.all(MANY, one)


# asyncio takes 256 KiB for the TLS of each connection; and each costs the server a
# signature, with the others in line behind it.
@attack(
    "a ClientHello, and no more",
    ends=CUT,
    options={"ssl": True, **QUICK},
    memory=400,
    latency=1000,
)
async def hello_only(arena: Arena) -> None:
    """Begin TLS, and don't go on."""
    hello = client_hello()

    async def one(index: int) -> None:
        peer = await arena.connect(tls=False)
        with contextlib.suppress(OSError):
            await peer.write(hello)
        await arena.watch_end(peer, encrypted=True)

    await arena.all(MANY, one)


def client_hello() -> bytes:
    """Return what a client's TLS handshake begins with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    outgoing = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


@attack("connections that come and go", ends={"gone"})
async def churn(arena: Arena) -> None:
    """Connect and leave, again and again, at every stage of a request."""

    async def one(index: int) -> None:
        for number in range(40):
            peer = await arena.connect()
            await peer.write(REQUEST[: (index + number) * 7 % len(REQUEST)])
            peer.reset()
            arena.ends["gone"] += 1

    await arena.all(100, one)


@attack(
    "one address takes all it can",
    ends={"101", "429"},
    options={"limits": {"connections_per_address": 50}},
)
async def one_address(arena: Arena) -> None:
    """Open connections from one address that isn't the well-behaved client's."""
    answered = asyncio.Barrier(1000)

    async def one(index: int) -> None:
        peer = await arena.connect(source="127.0.0.2")
        await peer.write(REQUEST + b"\r\n")
        head = await peer.reader.readuntil(b"\r\n\r\n")
        arena.ends[head[9:12].decode()] += 1
        # Nobody leaves before everybody has come.
        await answered.wait()
        peer.reset()

    await arena.all(1000, one)
    if arena.ends["101"] != 50:
        arena.ends[f"101 for {arena.ends['101']} instead of 50"] += 1
