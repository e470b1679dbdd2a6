"""The attacks of ``compliance/abuse`` do what they say; few of them, and briefly."""

from __future__ import annotations

import struct
import sys
import zlib
from pathlib import Path

import pytest

import websockets
from faces.support import echo, port_of
from websockets.frames import Frame, Opcode
from websockets.reader import FrameReader

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "compliance" / "abuse"))

import arena
import connections
import target

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is for Linux")

NAMES = [
    name
    for name, item in arena.ATTACKS.items()
    if item.function.__module__ == connections.__name__
]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
def test_frames_are_those_of_clients(size: int) -> None:
    reader = FrameReader(masked=True)
    data = bytes(range(256)) * 300
    reader.feed(arena.frame(2, data[:size], fin=False))
    assert reader.read_frame()
    assert reader.take_frame() == Frame(Opcode.BINARY, data[:size], fin=False)


@pytest.mark.parametrize(
    "tail, end",
    [
        (b"", "end"),
        (b"HTTP/1.1 503 No\r\n\r\nNo", "503"),
        (b"HTTP/1.1 101 Yes\r\n\r\n", "101"),
        (b"x" * 200 + b"\x88\x02\x03\xe8", "close 1000"),
        (b"\x88\x07\x03\xf1small", "close 1009"),
    ],
)
def test_how_connections_end(tail: bytes, end: str) -> None:
    assert arena.describe(tail) == end


def test_bombs() -> None:
    data = connections.bomb(10**6)
    assert len(data) < 2000
    assert zlib.decompressobj(wbits=-15).decompress(data) == bytes(10**6)


def test_attacks_have_what_they_need() -> None:
    assert len(NAMES) > 25
    for name in NAMES:
        attack = arena.ATTACKS[name]
        assert attack.ends, name
        assert attack.handler in target.HANDLERS
        target.make_options(dict(attack.options))


@pytest.mark.parametrize(
    "name",
    [
        "a bomb in one message",
        "a bomb in fragments",
        "a length of 2^63",
        "a length of 2^63, no max_size",
        "lengths that add up to 2^63",
        "frames that aren't masked",
        "text that isn't UTF-8",
        "reserved bits",
        "a close frame of a byte",
    ],
)
async def test_an_attack(name: str) -> None:
    attack = arena.ATTACKS[name]
    options = target.make_options(dict(attack.options))
    async with websockets.serve(echo, "127.0.0.1", 0, **options) as server:
        place = arena.Arena(port_of(server))
        await attack.function(place)
        assert dict(place.ends) == dict.fromkeys(attack.ends, connections.SOME)
        place.leave()


def test_lengths_are_what_they_say() -> None:
    assert struct.unpack("!Q", connections.TOO_LONG[2:10]) == (2**63,)
    assert struct.unpack("!Q", connections.LONGEST[2:10]) == (2**63 - 1,)
