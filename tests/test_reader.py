"""Frames cut from a stream of bytes (websockets.reader)."""

from __future__ import annotations

import array
import os
import re
from collections.abc import Generator, Iterable, Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from websockets.exceptions import PayloadTooBig, ProtocolError, TooManyFragments
from websockets.frames import Frame, Opcode
from websockets.reader import NO_LIMIT, FrameReader, read_lone_frame
from websockets.streams import StreamReader

KEY = b"\x1f\x80\xe4\x07"


def mask(data: bytes, key: bytes) -> bytes:
    return bytes(byte ^ key[i % 4] for i, byte in enumerate(data))


def frame(
    first: int, payload: bytes = b"", key: bytes | None = None, form: int | None = None
) -> bytes:
    """Build a frame with the shortest form of length, or with 7, 16 or 64 bits."""
    size = len(payload)
    form = form or (7 if size < 126 else 16 if size < 65536 else 64)
    code, extra = {7: (size, 0), 16: (126, 2), 64: (127, 8)}[form]
    head = bytes([first, code | (0 if key is None else 0x80)])
    head += size.to_bytes(extra, "big") if extra else b""
    return head + payload if key is None else head + key + mask(payload, key)


class Read(NamedTuple):
    """A frame as it was read."""

    opcode: int
    payload: bytes
    fin: bool = True
    reserved: int = 0


def drain(reader: FrameReader) -> Iterator[Read]:
    while reader.read_frame():
        opcode, fin, bits = reader.opcode, reader.fin, reader.reserved
        size = reader.length
        payload = reader.take_bytes()
        assert len(payload) == size
        assert type(payload) is bytes
        yield Read(opcode, payload, fin, bits)


def read_pieces(
    pieces: Iterable[bytes], bits: int = 0, **kwargs: Any
) -> tuple[list[Read], FrameReader]:
    """Read as an engine does: from a buffer that is overwritten after each piece."""
    reader = FrameReader(**{"masked": False, **kwargs})
    reader.allow_reserved(bits)
    frames: list[Read] = []
    for piece in pieces:
        buffer = bytearray(piece + b"garbage")
        reader.feed(buffer, len(piece))
        frames += drain(reader)
        reader.settle()
        buffer[:] = b"\xff" * len(buffer)
    return frames, reader


def split(data: bytes, size: int = 1) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


def read(data: bytes, **kwargs: Any) -> list[Read]:
    """Read frames whole, byte by byte, in threes, and each with a tail."""
    tail = b"\x82\xff" if kwargs.get("masked") else b"\x82\x7f"
    frames, reader = read_pieces([data], **kwargs)
    assert reader.unread == 0
    for pieces in [data + tail], split(data + tail), split(data + tail, 3):
        again, reader = read_pieces(pieces, **kwargs)
        assert again == frames
        assert reader.unread == 2
    # Feeding on without settling is fine too.
    reader = FrameReader(**{"masked": False, **kwargs_without_bits(kwargs)})
    reader.allow_reserved(kwargs.get("bits", 0))
    again = []
    for piece in split(data):
        reader.feed(piece)
        again += drain(reader)
    assert again == frames
    return frames


def kwargs_without_bits(kwargs: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in kwargs.items() if name != "bits"}


def fail(data: bytes, expected: type[Exception], text: str, **kwargs: Any) -> None:
    """Check that bad input fails in the same way however it comes."""
    for pieces in [data], split(data), split(data, 3), [data + b"\x00" * 200]:
        with pytest.raises(expected) as info:
            read_pieces(pieces, **kwargs)
        assert type(info.value) is expected
        assert str(info.value) == text


class TestFrames:
    @pytest.mark.parametrize("key", [None, KEY, bytes(4)])
    @pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 125, 126, 127, 300])
    @pytest.mark.parametrize("opcode", [1, 2])
    def test_data_frame(self, opcode: int, size: int, key: bytes | None) -> None:
        payload = (b"Hello, \x00world! " * 20)[:size]
        data = frame(0x80 | opcode, payload, key)
        assert read(data, masked=key is not None) == [Read(opcode, payload)]

    @pytest.mark.parametrize("key", [None, KEY])
    @pytest.mark.parametrize("size", [65535, 65536, 100_000])
    def test_large_frame(self, size: int, key: bytes | None) -> None:
        payload = os.urandom(size)
        data = frame(0x82, payload, key)
        masked = key is not None
        for pieces in [data], split(data, 4093), [data[:20], data[20:], data[:3]]:
            frames, _ = read_pieces(pieces, masked=masked)
            assert frames == [Read(2, payload)]

    @pytest.mark.parametrize("key", [None, KEY])
    @pytest.mark.parametrize("size", [0, 1, 125])
    @pytest.mark.parametrize("opcode", [8, 9, 10])
    def test_control_frame(self, opcode: int, size: int, key: bytes | None) -> None:
        payload = b"\xff" * size
        data = frame(0x80 | opcode, payload, key)
        assert read(data, masked=key is not None) == [Read(opcode, payload)]

    @pytest.mark.parametrize("form", [16, 64])
    @pytest.mark.parametrize("key", [None, KEY])
    def test_length_in_a_longer_form(self, key: bytes | None, form: int) -> None:
        # RFC 6455, 5.2, binds senders; a receiver can read it.
        data = frame(0x82, b"spam", key, form)
        assert read(data, masked=key is not None) == [Read(2, b"spam")]

    def test_several_frames(self) -> None:
        data = frame(0x81, b"a") + frame(0x89, b"b") + frame(0x82, b"") + frame(0x88)
        assert read(data) == [Read(1, b"a"), Read(9, b"b"), Read(2, b""), Read(8, b"")]

    def test_fragments_with_control_frames_between(self) -> None:
        data = (
            frame(0x01, b"sp")
            + frame(0x89, b"ping")
            + frame(0x00, b"")
            + frame(0x8A, b"pong")
            + frame(0x80, b"am")
            + frame(0x82, b"eggs")
        )
        assert read(data) == [
            Read(1, b"sp", False),
            Read(9, b"ping"),
            Read(0, b"", False),
            Read(10, b"pong"),
            Read(0, b"am"),
            Read(2, b"eggs"),
        ]

    def test_message_is_told(self) -> None:
        reader = FrameReader(masked=False)
        reader.feed(frame(0x41 & 0x0F, b"sp") + frame(0x89) + frame(0x80, b"am"))
        assert reader.read_frame()
        assert (reader.message_opcode, reader.in_message) == (1, True)
        assert reader.message_size == 2
        assert reader.read_frame()
        assert (reader.opcode, reader.message_opcode, reader.in_message) == (9, 1, True)
        assert reader.read_frame()
        assert (reader.opcode, reader.message_opcode, reader.in_message) == (
            0,
            1,
            False,
        )
        assert reader.message_size == 4
        assert not reader.read_frame()

    def test_nothing(self) -> None:
        reader = FrameReader(masked=False)
        reader.feed(b"")
        assert not reader.read_frame()
        reader.settle()
        assert reader.unread == 0

    def test_any_kind_of_bytes(self) -> None:
        data = frame(0x82, b"spam1234567")
        words = array.array("B", data)
        for chunk in bytearray(data), memoryview(data), memoryview(words):
            reader = FrameReader(masked=False)
            reader.feed(chunk)
            assert list(drain(reader)) == [Read(2, b"spam1234567")]

    def test_view_of_larger_items(self) -> None:
        words = array.array("I", frame(0x82, b"spameggs!!"))
        reader = FrameReader(masked=False)
        reader.feed(memoryview(words))
        assert list(drain(reader)) == [Read(2, b"spameggs!!")]


class TestFaults:
    @pytest.mark.parametrize("masked", [False, True])
    def test_masking(self, masked: bool) -> None:
        # RFC 6455, 5.1.
        for first in 0x81, 0x82, 0x88, 0x89, 0x8A:
            data = frame(first, b"", None if masked else KEY)
            fail(data, ProtocolError, "incorrect masking", masked=masked)

    @pytest.mark.parametrize("bits", [0x10, 0x20, 0x40, 0x70])
    @pytest.mark.parametrize("opcode", [0, 1, 2, 8, 9, 10])
    def test_reserved_bits(self, opcode: int, bits: int) -> None:
        # RFC 6455, 5.2.
        fail(frame(0x80 | bits | opcode), ProtocolError, "reserved bits must be 0")

    @pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
    @pytest.mark.parametrize("fin", [0x00, 0x80])
    def test_reserved_opcode(self, opcode: int, fin: int) -> None:
        fail(frame(fin | opcode), ProtocolError, "invalid opcode")

    @pytest.mark.parametrize("opcode", [8, 9, 10])
    def test_fragmented_control_frame(self, opcode: int) -> None:
        # RFC 6455, 5.5.
        fail(frame(opcode), ProtocolError, "fragmented control frame")

    @pytest.mark.parametrize("opcode", [8, 9, 10])
    @pytest.mark.parametrize("size", [126, 127])
    def test_long_control_frame(self, opcode: int, size: int) -> None:
        # The first two bytes tell.
        data = bytes([0x80 | opcode, size])
        fail(data, ProtocolError, "control frame too long")

    def test_unexpected_continuation(self) -> None:
        text = "unexpected continuation frame"
        fail(frame(0x80), ProtocolError, text)
        fail(frame(0x00, b"spam"), ProtocolError, text)
        fail(frame(0x01) + frame(0x80) + frame(0x80), ProtocolError, text)

    @pytest.mark.parametrize("first", [0x01, 0x02, 0x81, 0x82])
    def test_expected_continuation(self, first: int) -> None:
        data = frame(0x01, b"a") + frame(0x89, b"b") + frame(first, b"c")
        fail(data, ProtocolError, "expected a continuation frame")

    def test_frames_before_the_fault_are_read(self) -> None:
        reader = FrameReader(masked=False)
        reader.feed(frame(0x81, b"spam") + frame(0x83))
        assert reader.read_frame()
        assert reader.take_text() == "spam"
        with pytest.raises(ProtocolError):
            reader.read_frame()


class TestLimits:
    def test_message(self) -> None:
        assert read(frame(0x82, b"spam"), max_size=4) == [Read(2, b"spam")]
        text = "frame with 5 bytes exceeds limit of 4 bytes"
        fail(frame(0x82, b"spam!"), PayloadTooBig, text, max_size=4)

    def test_fragments_of_message(self) -> None:
        data = frame(0x02, b"sp") + frame(0x00, b"a") + frame(0x80, b"m")
        assert len(read(data, max_size=4)) == 3
        text = "frame with 1 bytes after reading 3 bytes exceeds limit of 3 bytes"
        fail(data, PayloadTooBig, text, max_size=3)

    def test_each_message_has_its_own_budget(self) -> None:
        data = frame(0x02, b"sp") + frame(0x80, b"am") + frame(0x82, b"eggs")
        assert len(read(data + data, max_size=4)) == 6

    def test_control_frames_do_not_count(self) -> None:
        data = frame(0x02, b"sp") + frame(0x89, b"x" * 125) + frame(0x80, b"am")
        assert len(read(data, max_size=4)) == 3

    def test_frame(self) -> None:
        data = frame(0x02, b"sp") + frame(0x80, b"am")
        assert len(read(data, max_frame_size=2)) == 2
        text = "frame with 3 bytes exceeds limit of 2 bytes"
        fail(frame(0x02, b"spa"), PayloadTooBig, text, max_frame_size=2)

    def test_zero(self) -> None:
        assert read(frame(0x82), max_size=0) == [Read(2, b"")]
        text = "frame with 1 bytes exceeds limit of 0 bytes"
        fail(frame(0x82, b"x"), PayloadTooBig, text, max_size=0)

    @pytest.mark.parametrize("size", [2**63 - 1, 2**63, 2**64, 2**100])
    def test_enormous(self, size: int) -> None:
        reader = FrameReader(masked=False, max_size=size, max_frame_size=size)
        assert reader.max_size is reader.max_frame_size is None
        reader.feed(frame(0x82, b"spam"))
        assert reader.read_frame()

    def test_lowered_in_the_middle_of_a_message(self) -> None:
        reader = FrameReader(masked=False, max_size=100)
        reader.feed(frame(0x02, b"x" * 50))
        assert reader.read_frame()
        reader.take_bytes()
        reader.settle()
        reader.max_size = 10
        assert reader.budget() == 0
        reader.feed(frame(0x80, b"x" * 20))
        with pytest.raises(PayloadTooBig):
            reader.read_frame()

    def test_header_alone_tells(self) -> None:
        reader = FrameReader(masked=False, max_size=2**20)
        reader.feed(b"\x82\x7f" + (2**20 + 1).to_bytes(8, "big"))
        with pytest.raises(PayloadTooBig) as info:
            reader.read_frame()
        assert info.value.size == 2**20 + 1
        assert info.value.max_size == 2**20
        assert info.value.current_size is None

    def test_nothing_is_reserved_for_what_is_announced(self) -> None:
        reader = FrameReader(masked=False)
        reader.feed(b"\x82\x7f" + (2**63 - 1).to_bytes(8, "big") + b"spam")
        assert not reader.read_frame()
        reader.settle()
        assert reader.unread == 4
        assert reader.missing() == 2**63 - 1 - 4
        reader.drop()
        assert reader.unread == 0

    @pytest.mark.parametrize("bits", [0x00, 0x40, 0x70])
    @pytest.mark.parametrize("size", [2**63, 2**64 - 1])
    def test_length_with_the_highest_bit(self, size: int, bits: int) -> None:
        # RFC 6455, 5.2: it must be 0.
        data = bytes([0x82 | bits, 0x7F]) + size.to_bytes(8, "big")
        fail(data, ProtocolError, "invalid frame length", bits=bits)
        text = f"frame with {size} bytes exceeds limit of 1048576 bytes"
        fail(data, PayloadTooBig, text, max_size=2**20, bits=bits)

    def test_sum_of_lengths_with_the_highest_bit(self) -> None:
        data = frame(0x02, b"x") + b"\x80\x7f" + (2**63 - 1).to_bytes(8, "big")
        fail(data, ProtocolError, "invalid frame length")

    def test_fragments(self) -> None:
        data = frame(0x02) + frame(0x00) + frame(0x80)
        assert len(read(data + data, max_fragments=3)) == 6
        text = "fragmented message exceeds limit of 2 small frames"
        fail(data, TooManyFragments, text, max_fragments=2)
        many = frame(0x02) + frame(0x00) * 5000 + frame(0x80)
        assert len(read_pieces([many])[0]) == 5002

    def test_large_fragments(self) -> None:
        # A frame more is allowed for each 64 bytes that came before it.
        data = frame(0x02, b"x" * 64) + frame(0x00, b"x" * 64) * 998 + frame(0x80)
        assert len(read(data, max_fragments=1)) == 1000
        data = frame(0x02, b"x" * 64) + frame(0x00, b"x" * 63) * 998
        text = "fragmented message exceeds limit of 4 small frames"
        with pytest.raises(TooManyFragments, match=text):
            read(data, max_fragments=4)
        # What a frame announces doesn't count before it is there.
        data = frame(0x02) + b"\x00\x7f" + (10**6).to_bytes(8, "big")
        text = "fragmented message exceeds limit of 1 small frames"
        fail(data, TooManyFragments, text, max_fragments=1)

    def test_attributes(self) -> None:
        reader = FrameReader(masked=False, max_size=3, max_frame_size=2)
        assert (reader.max_size, reader.max_frame_size) == (3, 2)
        assert reader.budget() == 2
        for name in "max_size", "max_frame_size":
            with pytest.raises(ValueError, match=f"{name} must not be negative: -1"):
                setattr(reader, name, -1)
        assert (reader.max_size, reader.max_frame_size) == (3, 2)
        reader.max_size = None
        assert reader.budget() == 2
        reader.max_frame_size = None
        assert (reader.max_size, reader.max_frame_size) == (None, None)
        assert reader.budget() is None
        assert reader.budget() is None
        reader.feed(b"\x82\x7f" + NO_LIMIT.to_bytes(8, "big"))
        assert not reader.read_frame()


class TestReservedBits:
    def test_one_bit(self) -> None:
        data = frame(0x41, b"sp") + frame(0x80, b"am") + frame(0x81, b"eggs")
        frames = read(data, bits=0x40)
        assert [item.reserved for item in frames] == [0x40, 0, 0]
        text = "reserved bits must be 0"
        for bits in 0x10, 0x20, 0x30, 0x60, 0x50:
            fail(frame(0x81 | bits), ProtocolError, text, bits=0x40)

    def test_one_bit_is_for_the_first_frame(self) -> None:
        # RFC 7692, 6.
        data = frame(0x41, b"sp") + frame(0xC0, b"am")
        fail(data, ProtocolError, "reserved bits must be 0", bits=0x40)

    def test_all_bits(self) -> None:
        data = frame(0x11, b"a") + frame(0x60, b"b") + frame(0x80, b"c")
        frames = read(data, bits=0x70)
        assert [item.reserved for item in frames] == [0x10, 0x60, 0]

    @pytest.mark.parametrize("bits", [0x40, 0x70])
    def test_control_frames(self, bits: int) -> None:
        text = "reserved bits must be 0"
        fail(frame(0xC9), ProtocolError, text, bits=bits)

    def test_message_keeps_the_bits_of_its_first_frame(self) -> None:
        reader = FrameReader(masked=False)
        reader.allow_reserved(0x40)
        reader.feed(frame(0x41, b"a") + frame(0x80, b"b") + frame(0x82, b"c"))
        seen = []
        while reader.read_frame():
            seen.append(reader.message_reserved)
        assert seen == [0x40, 0x40, 0]

    def test_with_all_bits_every_message_is_encoded(self) -> None:
        reader = FrameReader(masked=False)
        reader.allow_reserved(0x70)
        reader.feed(frame(0x02, b"a") + frame(0xA0, b"b") + frame(0x92, b"c"))
        seen = []
        while reader.read_frame():
            seen.append(reader.message_reserved)
        assert seen == [0x80, 0x80, 0x90]

    @pytest.mark.parametrize("bits", [0x40, 0x70])
    def test_encoded_text_is_not_checked(self, bits: int) -> None:
        data = frame(0xC1, b"\xff" * 200)
        assert read(data, bits=bits) == [Read(1, b"\xff" * 200, True, 0x40)]

    def test_encoded_message_may_be_a_little_larger(self) -> None:
        # Deflate adds to what it can't shrink; the content is counted later.
        data = frame(0xC2, b"x" * 164)
        assert len(read(data, bits=0x40, max_size=100)) == 1
        text = "frame with 165 bytes exceeds limit of 100 bytes"
        fail(frame(0xC2, b"x" * 165), PayloadTooBig, text, bits=0x40, max_size=100)
        text = "frame with 101 bytes exceeds limit of 100 bytes"
        for first in 0x81, 0x82:
            data = frame(first, b"x" * 101)
            fail(data, PayloadTooBig, text, bits=0x40, max_size=100)

    def test_encoded_message_may_be_larger_by_a_part_of_the_limit(self) -> None:
        # Deflate adds five bytes to each block of 16 KiB or so.
        size = 25600 + 25600 // 256 + 64
        frames, _ = read_pieces([frame(0xC2, b"x" * size)], 0x40, max_size=25600)
        assert len(frames) == 1
        with pytest.raises(PayloadTooBig):
            read_pieces([frame(0xC2, b"x" * (size + 1))], 0x40, max_size=25600)

    def test_content_is_counted(self) -> None:
        reader = FrameReader(masked=False, max_size=100)
        reader.allow_reserved(0x40)
        reader.feed(frame(0x42, b"x" * 50) + frame(0x80, b"x" * 75))
        assert reader.read_frame()
        assert reader.budget() == 100
        reader.count(90)
        assert reader.budget() == 10
        with pytest.raises(PayloadTooBig) as info:
            reader.read_frame()
        assert (info.value.size, info.value.current_size) == (75, 90)


# What no UTF-8 can contain, and the index of the byte that shows it.
BAD_TEXT = [
    (b"\x80", 0),
    (b"\xbf", 0),
    (b"\xc0", 0),
    (b"\xc1", 0),
    (b"\xf5", 0),
    (b"\xff", 0),
    (b"\xc3(", 1),
    (b"\xe0\x9f", 1),
    (b"\xe2(", 1),
    (b"\xe2\x82(", 2),
    (b"\xed\xa0", 1),
    (b"\xf0\x8f", 1),
    (b"\xf4\x90", 1),
    (b"\xf0\x9f(", 2),
    (b"\xf0\x9f\x98(", 3),
]
GOOD_TEXT = "aκόσμε€😀\x00"


def read_text(reader: FrameReader, chunk: bytes) -> str:
    """Feed a chunk and take the text of the frames that are complete."""
    reader.feed(chunk)
    text = ""
    while reader.read_frame():
        text += reader.take_text()
    reader.settle()
    return text


class TestText:
    @pytest.mark.parametrize("key", [None, KEY])
    @pytest.mark.parametrize("text", ["", "a", GOOD_TEXT, GOOD_TEXT * 50])
    def test_one_frame(self, text: str, key: bytes | None) -> None:
        data = frame(0x81, text.encode(), key)
        for pieces in [data], split(data), split(data, 3):
            reader = FrameReader(masked=key is not None)
            assert "".join(read_text(reader, piece) for piece in pieces) == text

    def test_fragments_at_every_split(self) -> None:
        payload = GOOD_TEXT.encode()
        for cut in range(len(payload) + 1):
            for again in range(cut, len(payload) + 1):
                data = frame(0x01, payload[:cut])
                data += frame(0x00, payload[cut:again])
                data += frame(0x80, payload[again:])
                for pieces in [data], split(data):
                    reader = FrameReader(masked=False)
                    # Twice, since state must not stay behind.
                    for _ in range(2):
                        text = "".join(read_text(reader, piece) for piece in pieces)
                        assert text == GOOD_TEXT

    @pytest.mark.parametrize("data, index", BAD_TEXT)
    @pytest.mark.parametrize("key", [None, KEY])
    def test_fails_as_soon_as_invalid(
        self, key: bytes | None, data: bytes, index: int
    ) -> None:
        # RFC 6455, 8.1, inside a frame that isn't complete.
        start = GOOD_TEXT.encode()
        payload = start + data
        pieces = split(frame(0x81, payload + b"x" * 100, key))
        header = len(pieces) - len(payload) - 100
        reader = FrameReader(masked=key is not None)
        for piece in pieces[: header + len(start) + index]:
            assert read_text(reader, piece) == ""
        with pytest.raises(UnicodeDecodeError):
            read_text(reader, pieces[header + len(start) + index])

    @pytest.mark.parametrize("data, index", BAD_TEXT)
    def test_fails_across_fragments(self, data: bytes, index: int) -> None:
        start = GOOD_TEXT.encode()
        payload = start + data
        bad = len(start) + index
        for cut in range(len(payload)):
            reader = FrameReader(masked=False)
            if cut <= bad:
                read_text(reader, frame(0x01, payload[:cut]))
                rest = frame(0x00, payload[cut:] + b"x" * 100)
                at = bad - cut
                for piece in split(rest)[: 2 + at]:
                    assert read_text(reader, piece) == ""
                with pytest.raises(UnicodeDecodeError):
                    read_text(reader, split(rest)[2 + at])
            else:
                with pytest.raises(UnicodeDecodeError):
                    read_text(reader, frame(0x01, payload[:cut]))

    @pytest.mark.parametrize("data", [b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98"])
    def test_incomplete_character_at_the_end(self, data: bytes) -> None:
        for whole in frame(0x81, data), frame(0x01, data) + frame(0x80):
            for pieces in [whole], split(whole):
                reader = FrameReader(masked=False)
                with pytest.raises(UnicodeDecodeError):
                    for piece in pieces:
                        read_text(reader, piece)

    def test_incomplete_character_does_not_haunt_the_next_message(self) -> None:
        reader = FrameReader(masked=False)
        assert read_text(reader, frame(0x01, b"\xe2\x82")) == ""
        reader.in_message = False
        assert read_text(reader, frame(0x01, b"a")) == "a"
        assert read_text(reader, frame(0x80, b"b")) == "b"

    def test_binary_is_not_checked(self) -> None:
        reader = FrameReader(masked=False)
        for piece in split(frame(0x02, b"\xff\xff") + frame(0x80, b"\xff\xff")):
            reader.feed(piece)
            while reader.read_frame():
                assert reader.take_bytes() == b"\xff\xff"
            reader.settle()

    def test_check_can_be_left_out(self) -> None:
        data = frame(0x81, b"\xff" * 4)
        assert read(data, checks_text=False) == [Read(1, b"\xff" * 4)]

    @given(st.binary(max_size=12))
    @example(b"\xf0\x9f\x98\x80\xed\x9f\xbf")
    def test_fails_exactly_where_no_text_can_begin_so(self, payload: bytes) -> None:
        reader = FrameReader(masked=False)
        for piece in split(frame(0x01, b"")):
            read_text(reader, piece)
        read_text(reader, b"\x80" + bytes([len(payload) + 100]))
        for size in range(1, len(payload) + 1):
            piece = payload[size - 1 : size]
            if not may_begin_text(payload[:size]):
                with pytest.raises(UnicodeDecodeError):
                    read_text(reader, piece)
                return
            assert read_text(reader, piece) == ""


# RFC 3629, 4.
_TAIL = rb"[\x80-\xbf]"
CHARACTERS = [
    (rb"[\x00-\x7f]",),
    (rb"[\xc2-\xdf]", _TAIL),
    (rb"\xe0", rb"[\xa0-\xbf]", _TAIL),
    (rb"[\xe1-\xec\xee\xef]", _TAIL, _TAIL),
    (rb"\xed", rb"[\x80-\x9f]", _TAIL),
    (rb"\xf0", rb"[\x90-\xbf]", _TAIL, _TAIL),
    (rb"[\xf1-\xf3]", _TAIL, _TAIL, _TAIL),
    (rb"\xf4", rb"[\x80-\x8f]", _TAIL, _TAIL),
]
_WHOLE = b"|".join(b"".join(parts) for parts in CHARACTERS)
_PART = b"|".join(
    b"".join(parts[:size]) for parts in CHARACTERS for size in range(1, len(parts))
)
BEGINNING = re.compile(b"(?:" + _WHOLE + b")*(?:" + _PART + b")?")


def may_begin_text(data: bytes) -> bool:
    return BEGINNING.fullmatch(data) is not None


class TestMissing:
    @pytest.mark.parametrize("key", [None, KEY])
    def test_data_frame(self, key: bytes | None) -> None:
        masked = key is not None
        for size in 0, 1, 125, 126, 65536:
            data = frame(0x82, b"x" * size, key)
            reader = FrameReader(masked=masked)
            at = 0
            # As often as it says, and never too much.
            while not reader.read_frame():
                wanted = reader.missing()
                assert wanted > 0
                assert at + wanted <= len(data)
                reader.feed(data[at : at + wanted])
                at += wanted
            assert at == len(data)
            assert reader.take_bytes() == b"x" * size

    @pytest.mark.parametrize("key", [None, KEY])
    def test_control_frame(self, key: bytes | None) -> None:
        data = frame(0x89, b"spam", key)
        for size in range(2, len(data)):
            reader = FrameReader(masked=key is not None)
            reader.feed(data[:size])
            assert not reader.read_frame()
            assert reader.missing() == len(data) - size
            reader.settle()
            assert reader.missing() == len(data) - size

    def test_at_the_beginning(self) -> None:
        reader = FrameReader(masked=False)
        assert reader.missing() == 2
        reader.feed(b"\x82")
        assert reader.missing() == 1


class TestDrop:
    def test_everything_is_forgotten(self) -> None:
        for data in frame(0x82, b"spam")[:3], frame(0x89, b"spam")[:3], b"\x81":
            for settle in False, True:
                reader = FrameReader(masked=False)
                reader.feed(data)
                assert not reader.read_frame()
                if settle:
                    reader.settle()
                assert reader.unread == len(data) - (2 if data[0] == 0x82 else 0)
                reader.drop()
                assert reader.unread == 0
                assert not reader.read_frame()

    def test_frames_left_unread_are_kept(self) -> None:
        reader = FrameReader(masked=False)
        reader.feed(frame(0x82, b"a") + frame(0x82, b"b") + frame(0x82, b"c"))
        assert reader.read_frame()
        assert reader.take_bytes() == b"a"
        reader.settle()
        assert reader.unread == 6
        reader.feed(b"")
        assert [item.payload for item in drain(reader)] == [b"b", b"c"]


def lone(data: bytes, **kwargs: Any) -> Frame:
    """Read one frame byte by byte; nothing may be left and no more be wanted."""
    kwargs = {"masked": False, "max_size": None, "reserved": False, **kwargs}
    stream = StreamReader()
    generator: Generator[None, None, Frame] = read_lone_frame(
        stream.read_exact, **kwargs
    )
    left = len(data)
    try:
        next(generator)
        for byte in data:
            left -= 1
            stream.feed_data(bytes([byte]))
            next(generator)
        stream.feed_eof()
        next(generator)
    except StopIteration as exc:
        assert left == 0
        assert next(stream.at_eof()) is None
        result: Frame = exc.value
        return result
    raise AssertionError


class TestReadLoneFrame:
    @pytest.mark.parametrize("key", [None, KEY])
    @pytest.mark.parametrize(
        "opcode, size",
        [(0, 0), (0, 5), (1, 4), (2, 125), (2, 126), (2, 65536), (8, 2), (9, 125)],
    )
    def test_frame(self, opcode: int, size: int, key: bytes | None) -> None:
        payload = b"x" * size
        data = frame(0x80 | opcode, payload, key)
        result = lone(data, masked=key is not None)
        assert result == Frame(Opcode(opcode), payload)

    def test_flags(self) -> None:
        result = lone(frame(0x52, b"spam"), reserved=True)
        assert result == Frame(Opcode.BINARY, b"spam", fin=False, rsv1=True, rsv3=True)
        result = lone(frame(0x22), reserved=True)
        assert result == Frame(Opcode.BINARY, b"", fin=False, rsv2=True)

    def test_text_is_not_checked(self) -> None:
        # A frame may end inside a character; that is the message's business.
        result = lone(frame(0x81, b"\xff"))
        assert result == Frame(Opcode.TEXT, b"\xff")

    @pytest.mark.parametrize("reserved", [False, True])
    def test_limit(self, reserved: bool) -> None:
        result = lone(frame(0x82, b"spam"), max_size=4, reserved=reserved)
        assert result.data == b"spam"
        with pytest.raises(PayloadTooBig) as info:
            lone(frame(0x82, b"spam!"), max_size=4, reserved=reserved)
        assert str(info.value) == "frame with 5 bytes exceeds limit of 4 bytes"

    def test_fault(self) -> None:
        with pytest.raises(ProtocolError, match="reserved bits must be 0"):
            lone(frame(0xC2))

    @pytest.mark.parametrize("size", [0, 1, 2, 3, 5])
    def test_end_of_stream(self, size: int) -> None:
        with pytest.raises(EOFError):
            lone(frame(0x82, b"spam")[:size])


def messages() -> st.SearchStrategy[bytes]:
    """Make the frames of one message, with control frames between."""
    control = st.builds(
        frame, st.sampled_from([0x89, 0x8A]), st.binary(max_size=125), st.just(KEY)
    )
    part = st.tuples(st.binary(max_size=200), st.lists(control, max_size=2))

    def join(opcode: int, parts: list[tuple[bytes, list[bytes]]]) -> bytes:
        data = b""
        for i, (payload, between) in enumerate(parts):
            fin = 0x80 if i == len(parts) - 1 else 0
            data += frame(fin | (0 if i else opcode), payload, KEY)
            data += b"".join(between)
        return data

    return st.builds(
        join, st.sampled_from([1, 2]), st.lists(part, min_size=1, max_size=3)
    )


class TestProperties:
    @given(st.lists(messages(), max_size=3), st.lists(st.integers(0, 2000)))
    def test_any_split_gives_the_same_frames(
        self, stream: list[bytes], cuts: list[int]
    ) -> None:
        data = b"".join(stream)
        kwargs: dict[str, Any] = {"masked": True, "checks_text": False}
        expected, _ = read_pieces([data], **kwargs)
        edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
        pieces = [data[a:b] for a, b in zip(edges, edges[1:], strict=False)]
        frames, reader = read_pieces(pieces, **kwargs)
        assert frames == expected
        assert reader.unread == 0

    @given(
        st.lists(st.binary(max_size=300)),
        st.booleans(),
        st.sampled_from([0x00, 0x40, 0x70]),
    )
    def test_random_bytes(self, pieces: list[bytes], masked: bool, bits: int) -> None:
        reader = FrameReader(masked=masked, max_size=500, max_fragments=4)
        reader.allow_reserved(bits)
        fed = 0
        try:
            for piece in pieces:
                fed += len(piece)
                reader.feed(piece)
                while reader.read_frame():
                    reader.take_bytes()
                reader.settle()
                # Never more than came; of an incomplete header or control
                # frame at most 138 bytes; of a payload at most what is allowed.
                assert reader.unread <= min(fed, 138 + 500 + 64)
        except (ProtocolError, PayloadTooBig, TooManyFragments, UnicodeDecodeError):
            reader.drop()
            assert reader.unread == 0
