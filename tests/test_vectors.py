"""Frames as data (vectors/frames.json), put to the reader and to the protocol."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

import vectors
from websockets.codes import Side
from websockets.exceptions import ProtocolError
from websockets.frames import Close
from websockets.frames import Frame as FrameObject
from websockets.protocol import Protocol
from websockets.reader import FrameReader

VECTORS = vectors.load_frames()
each_vector = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)


def cut(data: bytes, size: int) -> Iterator[bytes]:
    # Large payloads needn't come a byte at a time.
    size = max(size, len(data) // 500)
    return (data[start : start + size] for start in range(0, len(data), size))


def read(reader: FrameReader, pieces: Iterator[bytes]) -> Iterator[vectors.Frame]:
    for piece in pieces:
        reader.feed(piece)
        while reader.read_frame():
            opcode, fin = reader.opcode, reader.fin
            if opcode < 8 and reader.message_opcode == 1:
                payload = reader.take_bytes()
                reader.decode_text(payload)
            else:
                payload = reader.take_bytes()
            yield vectors.Frame(opcode, payload, fin)
        reader.settle()


def check_error(exc: Exception, error: vectors.Error) -> None:
    assert type(exc).__name__ == error.type
    if error.text is not None:
        assert str(exc) == error.text
    assert getattr(exc, "close_code", 1007) == error.close_code


def is_noticed_by(vector: vectors.Vector, noticed_by: str) -> bool:
    return vector.error is not None and vector.error.noticed_by == noticed_by


@each_vector
@pytest.mark.parametrize("size", [1, 3, 100_000])
@pytest.mark.parametrize("tail", [b"", b"\x82"])
def test_reader(vector: vectors.Vector, size: int, tail: bytes) -> None:
    limits: dict[str, Any] = dict(vector.limits)
    reader = FrameReader(masked=vector.role == "server", **limits)
    if vector.incomplete:
        tail = b""
    frames = []
    exc = None
    try:
        for frame in read(reader, cut(vector.wire + tail, size)):
            frames.append(frame)
    except Exception as caught:
        exc = caught
    assert frames == vector.frames
    if is_noticed_by(vector, "reader"):
        assert exc is not None
        check_error(exc, vector.error)  # type: ignore[arg-type]
    else:
        assert exc is None
        assert (reader.unread > 0) is (vector.incomplete or tail != b"")
        assert vector.incomplete or reader.unread == len(tail)


# The environment limits fragments for all protocols; there's no argument for it.
@pytest.mark.parametrize(
    "vector",
    [vector for vector in VECTORS if "max_fragments" not in vector.limits],
    ids=lambda vector: vector.name,
)
@pytest.mark.parametrize("size", [1, 100_000])
def test_protocol(vector: vectors.Vector, size: int) -> None:
    side = Side.SERVER if vector.role == "server" else Side.CLIENT
    max_size = vector.limits.get("max_size")
    protocol = Protocol(side, max_size=(max_size, vector.limits.get("max_frame_size")))
    for piece in cut(vector.wire, size):
        protocol.receive_data(piece)
    frames = protocol.events_received()
    assert all(isinstance(frame, FrameObject) for frame in frames)
    assert [
        vectors.Frame(int(f.opcode), bytes(f.data), f.fin)  # type: ignore[union-attr]
        for f in frames
    ] == vector.frames
    if vector.error is None:
        # Nothing is wrong with ending inside a message, but some of it is lost.
        assert isinstance(protocol.parser_exc, (EOFError, type(None)))
    else:
        assert protocol.parser_exc is not None
        check_error(protocol.parser_exc, vector.error)
        assert protocol.close_sent is not None
        assert protocol.close_sent.code == vector.error.close_code


@pytest.mark.parametrize(
    "vector",
    [v for v in VECTORS if v.frames and v.frames[-1].opcode == 8],
    ids=lambda vector: vector.name,
)
def test_close(vector: vectors.Vector) -> None:
    payload = vector.frames[-1].payload
    if is_noticed_by(vector, "protocol") and len(vector.frames) == 1:
        with pytest.raises((ProtocolError, UnicodeDecodeError)) as caught:
            Close.parse(payload)
        check_error(caught.value, vector.error)  # type: ignore[arg-type]
    elif payload:
        assert Close.parse(payload).serialize() == payload


def test_every_first_byte_is_judged() -> None:
    """Of all first bytes, those without fault and those with one are here."""
    valid = {fin | opcode for opcode in (0, 1, 2) for fin in (0, 0x80)}
    valid |= {0x88, 0x89, 0x8A}
    first_bytes = {vector.wire[0] for vector in VECTORS}
    assert valid <= first_bytes
    assert {0x80 | bits | 1 for bits in range(0x10, 0x80, 0x10)} <= first_bytes
    assert {fin | op for op in (3, 4, 5, 6, 7, 11, 15) for fin in (0, 0x80)} <= (
        first_bytes
    )


def test_vectors_are_well_formed() -> None:
    path = pathlib.Path(vectors.__file__).with_name("frames.json")
    names = [item["name"] for item in json.loads(path.read_text("ascii"))]
    assert len(names) == len(set(names)) == len(VECTORS)
    assert {vector.role for vector in VECTORS} == {"server", "client"}
    for vector in VECTORS:
        assert vector.wire
        assert vector.error is None or not vector.incomplete
