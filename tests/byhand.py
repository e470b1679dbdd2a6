"""Frames built and read by hand, so that tests don't rely on what they test."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from websockets.frames import Frame, Opcode
from websockets.protocol import SEND_EOF, Protocol, Side, State
from websockets.utils import apply_mask

CLIENT, SERVER = Side.CLIENT, Side.SERVER
CONNECTING, OPEN, CLOSING, CLOSED = State

both_sides = pytest.mark.parametrize("side", [CLIENT, SERVER], ids=["client", "server"])
KEY = b"\x3c\xa9\x00\x51"
EOF = "end of stream"

Sent = list[tuple[int, bytes] | str]


def frame(
    side: Side, first: int, payload: bytes = b"", size: int | None = None
) -> bytes:
    """Build a frame as the peer of that side sends it."""
    size = len(payload) if size is None else size
    masked = 0x80 if side is SERVER else 0
    if size < 126:
        head = bytes([first, masked | size])
    elif size < 65536:
        head = bytes([first, masked | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([first, masked | 127]) + size.to_bytes(8, "big")
    return head + KEY + apply_mask(payload, KEY) if masked else head + payload


def parse(data: bytes, masked: bool) -> list[tuple[int, bytes]]:
    """Read what a side has written: the first byte and the payload of frames."""
    frames = []
    while data:
        assert bool(data[1] & 0x80) is masked
        size, data, first = data[1] & 0x7F, data[2:], data[0]
        extra = {126: 2, 127: 8}.get(size, 0)
        if extra:
            size, data = int.from_bytes(data[:extra], "big"), data[extra:]
            # RFC 6455, 5.2: the shortest form.
            assert size > (125 if extra == 2 else 65535)
        key, data = (data[:4], data[4:]) if masked else (bytes(4), data)
        assert len(data) >= size
        frames.append((first, apply_mask(data[:size], key)))
        data = data[size:]
    return frames


def sent(protocol: Protocol) -> Sent:
    """Take what must be written: frames, and EOF for the end of the stream."""
    writes = protocol.data_to_send()
    assert protocol.data_to_send() == []
    ended = writes[-1:] == [SEND_EOF]
    data = b"".join(writes)
    assert SEND_EOF not in writes[:-1]
    result: Sent = [*parse(data, protocol.side is CLIENT)]
    return [*result, EOF] if ended else result


def make(side: Side, **kwargs: Any) -> Protocol:
    return Protocol(side, **kwargs)


def split(data: bytes, size: int = 1) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


def feed(protocol: Protocol, pieces: Iterable[bytes]) -> list[Any]:
    for piece in pieces:
        protocol.receive_data(piece)
    return protocol.events_received()


def receive(side: Side, data: bytes, **kwargs: Any) -> tuple[Protocol, list[Any]]:
    """Receive bytes whole, byte by byte, and with a tail that isn't complete."""
    protocol = make(side, **kwargs)
    events = feed(protocol, [data])
    tail = frame(side, 0x82, b"tail")[:-1]
    for pieces in split(data), split(data, 3), [data + tail], split(data + tail):
        again = make(side, **kwargs)
        assert feed(again, pieces) == events
        assert (again.state, again.close_rcvd) == (protocol.state, protocol.close_rcvd)
        assert len(again.writes) == len(protocol.writes)
    return protocol, events


def close_payload(code: int, reason: str = "") -> bytes:
    return code.to_bytes(2, "big") + reason.encode()


def text(data: str | bytes, fin: bool = True) -> Frame:
    data = data.encode() if isinstance(data, str) else data
    return Frame(Opcode.TEXT, data, fin)


def binary(data: bytes, fin: bool = True) -> Frame:
    return Frame(Opcode.BINARY, data, fin)


WIRE_CODES = [
    *[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014],
    *[3000, 3999, 4000, 4999],
]
