"""Attacks on open connections."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import struct
import zlib
from collections.abc import Awaitable, Callable

from arena import Arena, Peer, attack, drip, frame, mask

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

#: How many connections attack at once.
SOME = 10

#: How many do where the attack is as much work as there can be. Each has its turn in an
#: iteration of the event loop, so that what they take adds up; rates keep it down.
BUSY = 3

#: What ends a connection as the attacker asked for it.
ASKED = frame(CLOSE, struct.pack("!H", 1000))

DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate"

#: A peer that doesn't read is cut within seconds, for this.
SOON = {"ping_interval": 1, "ping_timeout": 2, "close_timeout": 2}

#: A peer that is cut can find out in one way or another.
CUT = {"end", "reset"}


def deflated(data: bytes, *, fin: bool = True) -> bytes:
    """Return a message, or the first frame of one, from deflated bytes."""
    head = frame(BINARY, data, fin=fin)
    return bytes([head[0] | 0x40]) + head[1:]


@functools.cache
def bomb(size: int) -> bytes:
    """Return so many zeros, deflated as messages are."""
    encoder = zlib.compressobj(9, wbits=-15)
    data = encoder.compress(bytes(size)) + encoder.flush(zlib.Z_SYNC_FLUSH)
    return data[:-4]


async def tell(peer: Peer, command: str) -> None:
    """Have the server do something; see ``target.obey()``."""
    await peer.write(frame(TEXT, command.encode()))


async def send(peer: Peer, data: bytes, times: int = 1) -> None:
    """Send this again and again, until the server has had enough."""
    with contextlib.suppress(OSError):
        for _ in range(times):
            await peer.write(data)


async def send_and_watch(
    arena: Arena, peer: Peer, data: bytes, times: int = 1, within: float = 30
) -> None:
    """Send this again and again, read what comes, and note how it ends."""
    sending = asyncio.create_task(send(peer, data, times))
    await arena.watch_end(peer, within)
    sending.cancel()
    await asyncio.wait([sending])


async def pester(arena: Arena, peer: Peer, data: bytes, within: float = 15) -> None:
    """Read nothing, send this again and again, and note when the server ends it."""
    peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
    try:
        async with asyncio.timeout(within):
            while True:
                await peer.write(data)
                await asyncio.sleep(0.05)
    except TimeoutError:
        arena.ends["still open"] += 1
    except OSError:
        arena.ends["reset"] += 1
    finally:
        peer.reset()


def each(
    number: int = SOME, *headers: bytes
) -> Callable[
    [Callable[[Arena, Peer], Awaitable[None]]], Callable[[Arena], Awaitable[None]]
]:
    """Have so many open connections do something at once."""

    def put(
        one: Callable[[Arena, Peer], Awaitable[None]],
    ) -> Callable[[Arena], Awaitable[None]]:
        async def act(arena: Arena) -> None:
            async def run(index: int) -> None:
                peer = await arena.connect()
                await peer.open(*headers)
                await one(arena, peer)

            await arena.all(number, run)

        return act

    return put


def says(
    data: bytes, times: int = 1, *headers: bytes
) -> Callable[[Arena], Awaitable[None]]:
    """Return an attack that sends something on each of some connections."""

    @each(SOME, *headers)
    async def act(arena: Arena, peer: Peer) -> None:
        await send_and_watch(arena, peer, data, times)

    return act


# What is inflated.

attack("a bomb in one message", ends={"close 1009"})(
    says(deflated(bomb(2**28)), 1, DEFLATE)
)

attack("a bomb in fragments", ends={"close 1009"})(
    says(
        deflated(bomb(1000) + b"\0\0\xff\xff", fin=False)
        + frame(0, bomb(2**19) + b"\0\0\xff\xff", fin=False) * 100,
        1,
        DEFLATE,
    )
)


@attack("a bomb in each message", ends={"still open"}, options=SOON)
@each(SOME, DEFLATE)
async def many_bombs(arena: Arena, peer: Peer) -> None:
    """Have messages inflate to just what is allowed, and nobody receive them."""
    await tell(peer, "ignore")
    data = deflated(bomb(2**20))
    await send_and_watch(arena, peer, data * 100, within=5)


@attack("messages of nothing, deflated", ends={"close 1000"})
@each(BUSY, DEFLATE)
async def nothing(arena: Arena, peer: Peer) -> None:
    """Have the server make an inflater for each."""
    await send_and_watch(arena, peer, deflated(b"\0") * 50_000 + ASKED)


@attack("final blocks of nothing", ends={"close 1000"})
@each(BUSY, DEFLATE)
async def final_blocks(arena: Arena, peer: Peer) -> None:
    """Have the server make hundreds of inflaters for each message."""
    data = deflated(b"\3\0" * 250 + b"\0") * 200
    await send_and_watch(arena, peer, data + ASKED)


# Frames.

LONGEST = b"\x82\xff" + struct.pack("!Q", 2**63 - 1) + mask(b"")
TOO_LONG = b"\x82\xff" + struct.pack("!Q", 2**63) + mask(b"")
CONTINUED = frame(BINARY, fin=False)

attack("a length of 2^63", ends={"close 1009"})(says(TOO_LONG))
attack(
    "a length of 2^63, no max_size", ends={"close 1002"}, options={"max_size": None}
)(says(TOO_LONG))
attack(
    "a length of 2^63 - 1, no max_size",
    ends={"close 1011"},
    options={"max_size": None, **SOON},
)(says(LONGEST + b"x" * 10))
attack("lengths that add up to 2^63", ends={"close 1002"}, options={"max_size": None})(
    says(frame(BINARY, b"x", fin=False) + b"\x80" + LONGEST[1:])
)
attack("a million empty fragments", ends={"close 1009"})(
    says(CONTINUED + frame(0, fin=False) * 10**6)
)
attack("a million fragments of a byte", ends={"close 1009"})(
    says(CONTINUED + frame(0, b"x", fin=False) * 10**6)
)
attack("frames that aren't masked", ends={"close 1002"})(says(b"\x81\x01a" * 1000))
attack("text that isn't UTF-8", ends={"close 1007"})(says(frame(TEXT, b"\xff" * 1000)))
attack("reserved bits", ends={"close 1002"})(says(b"\xf1\x80" + mask(b"")))
attack("a close frame of a byte", ends={"close 1002"})(says(frame(CLOSE, b"x")))


@attack("a million pings, and pongs read", ends={"close 1000"})
@each(BUSY)
async def pings(arena: Arena, peer: Peer) -> None:
    """Have the server answer as fast as it can."""
    await send_and_watch(arena, peer, frame(PING, b"x" * 20) * 333_334 + ASKED)


@attack("pings, and nothing read", ends={"reset"}, options=SOON)
@each()
async def deaf_pings(arena: Arena, peer: Peer) -> None:
    """Have the server answer into the void."""
    await pester(arena, peer, frame(PING, b"x" * 125) * 500)


@attack("a million pongs", ends={"close 1000"})
@each(BUSY)
async def pongs(arena: Arena, peer: Peer) -> None:
    """Answer what nobody asked."""
    await send_and_watch(arena, peer, frame(PONG) * 333_334 + ASKED)


@attack("a million empty messages", ends={"close 1000"})
@each(BUSY)
async def empty_messages(arena: Arena, peer: Peer) -> None:
    """Have a message echoed for every six bytes."""
    await send_and_watch(arena, peer, frame(TEXT) * 333_334 + ASKED)


@attack("messages nobody receives", ends={"still open"}, options=SOON)
@each(BUSY)
async def unread_messages(arena: Arena, peer: Peer) -> None:
    """Have the server keep what its application doesn't want."""
    await tell(peer, "ignore")
    data = frame(TEXT, "😀".encode()) * 100_000
    await send_and_watch(arena, peer, data, 10, within=5)


@attack(
    "floods where rates are limited",
    ends={"close 1008"},
    options={"limits": {"messages": [100, 500], "controls": [100, 500]}},
)
@each(BUSY)
async def limited(arena: Arena, peer: Peer) -> None:
    """Send more than is allowed."""
    await send_and_watch(arena, peer, (frame(TEXT) + frame(PING)) * 10_000)


@attack("frames byte by byte", ends={"close 1000"})
@each(200)
async def byte_by_byte(arena: Arena, peer: Peer) -> None:
    """Have the server read each byte by itself."""
    data = frame(TEXT, b"Hello!") + frame(PING) + frame(BINARY, bytes(200)) + ASKED
    dripping = asyncio.create_task(drip(peer, data, 0.005))
    await arena.watch_end(peer, 30)
    await dripping


@attack("messages in two halves", ends={"close 1000"})
@each(50)
async def halves(arena: Arena, peer: Peer) -> None:
    """Stop in the middle of every frame."""
    data = frame(BINARY, bytes(100_000))
    middle = len(data) // 2

    async def write() -> None:
        for _ in range(20):
            await peer.write(data[:middle])
            await asyncio.sleep(0.01)
            await peer.write(data[middle:])
        await peer.write(ASKED)

    writing = asyncio.create_task(write())
    await arena.watch_end(peer, 30)
    await writing


# Ends.


@attack("data after the close frame", ends={"close 1000", *CUT})
@each()
async def data_after_close(arena: Arena, peer: Peer) -> None:
    """Go on after the end."""
    await send_and_watch(arena, peer, ASKED + frame(BINARY, bytes(2**16)) * 100, 10)


@attack("a close that is never answered", ends={"close 1000", *CUT}, options=SOON)
@each()
async def unanswered_close(arena: Arena, peer: Peer) -> None:
    """Let the server close, and go on as if nothing had happened."""
    await tell(peer, "close")
    await send_and_watch(arena, peer, frame(TEXT, b"a" * 100) * 1000, 10**6)


@attack("nothing read during send()", ends={"reset"}, options=SOON)
@each()
async def deaf_to_send(arena: Arena, peer: Peer) -> None:
    """Have the server send without an end."""
    await tell(peer, "flood")
    await pester(arena, peer, frame(PING))


@attack("nothing read of broadcasts", ends={"reset"}, options=SOON, memory=96)
@each(10)
async def deaf_to_broadcast(arena: Arena, peer: Peer) -> None:
    """Have the server broadcast without an end."""
    await tell(peer, "join")
    await pester(arena, peer, frame(PING))


@attack("nothing read during close()", ends={"reset"}, options=SOON)
@each()
async def deaf_to_close(arena: Arena, peer: Peer) -> None:
    """Have the server close behind a backlog."""
    await tell(peer, "flood and close")
    await pester(arena, peer, frame(PING))
