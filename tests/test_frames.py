"""Frames as objects and as bytes (websockets.frames)."""

from __future__ import annotations

import array
import dataclasses
import os
import subprocess
import sys
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from websockets import codes, frames
from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.extensions.base import Extension
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import (
    BINARY,
    CLOSE,
    CONT,
    PING,
    PONG,
    TEXT,
    Close,
    CloseCode,
    Frame,
    Opcode,
    build_header,
    check_payload_size,
    prepare_ctrl,
    prepare_data,
)
from websockets.streams import StreamReader

HELLO = bytes.fromhex("81 05 48 65 6c 6c 6f")
MASKED_HELLO = bytes.fromhex("81 85 37 fa 21 3d 7f 9f 4d 51 58")
COMPRESSED_HELLO = bytes.fromhex("c1 07 f2 48 cd c9 c9 07 00")


# Names.


def test_names_of_opcodes() -> None:
    for name in ("CONT", "TEXT", "BINARY", "CLOSE", "PING", "PONG"):
        assert getattr(frames, name) is Opcode[name]
        assert getattr(frames, f"OP_{name}") is Opcode[name]
    assert frames.DATA_OPCODES == (CONT, TEXT, BINARY)
    assert frames.CTRL_OPCODES == (CLOSE, PING, PONG)
    assert frames.CloseCode is codes.CloseCode
    assert set(frames.__all__) <= set(dir(frames))


# Headers.


@pytest.mark.parametrize(
    ("length", "header"),
    [
        (0, "82 00"),
        (1, "82 01"),
        (125, "82 7d"),
        (126, "82 7e 00 7e"),
        (65535, "82 7e ff ff"),
        (65536, "82 7f 00 00 00 00 00 01 00 00"),
        (2**63 - 1, "82 7f 7f ff ff ff ff ff ff ff"),
    ],
)
def test_build_header(length: int, header: str) -> None:
    plain = bytes.fromhex(header)
    assert build_header(0x82, length, None) == plain
    masked = bytes([plain[0], plain[1] | 0x80]) + plain[2:] + b"\x01\x02\x03\x04"
    assert build_header(0x82, length, b"\x01\x02\x03\x04") == masked


def test_build_header_with_any_first_byte() -> None:
    for first in range(256):
        for length in (0, 125, 126, 65536):
            assert build_header(first, length, None)[0] == first
            assert build_header(first, length, bytes(4))[0] == first


# Frame: attributes.


def test_frame_defaults() -> None:
    frame = Frame(TEXT, b"")
    assert (frame.fin, frame.rsv1, frame.rsv2, frame.rsv3) == (True, *[False] * 3)
    assert [field.name for field in dataclasses.fields(Frame)] == (
        ["opcode", "data", "fin", "rsv1", "rsv2", "rsv3"]
    )


def test_frame_equality() -> None:
    assert Frame(TEXT, b"a") == Frame(TEXT, b"a", True, False)
    assert Frame(TEXT, b"a") != Frame(BINARY, b"a")
    assert Frame(TEXT, b"a") != Frame(TEXT, b"a", fin=False)


# Frame: parse().


def parse(
    data: bytes, *, pieces: int = 0, tail: bytes = b"", **arguments: Any
) -> Frame:
    """Parse a frame, whole or in pieces, and check that nothing else is touched."""
    reader = StreamReader()
    parser = Frame.parse(reader.read_exact, **{"mask": False, **arguments})
    step = pieces or max(len(data), 1)
    chunks = [data[start : start + step] for start in range(0, len(data), step)]
    chunks[-1] += tail
    for chunk in chunks[:-1]:
        reader.feed_data(chunk)
        next(parser)
    reader.feed_data(chunks[-1])
    with pytest.raises(StopIteration) as caught:
        next(parser)
    frame: Frame = caught.value.value
    with pytest.raises(StopIteration) as caught:
        next(reader.read_exact(len(tail)))
    assert caught.value.value == tail
    reader.feed_eof()
    with pytest.raises(StopIteration) as caught:
        next(reader.at_eof())
    assert caught.value.value is True
    return frame


def parse_thrice(data: bytes, **arguments: Any) -> Frame:
    """Parse whole, byte by byte, and with a tail that must be left alone."""
    frame = parse(data, **arguments)
    assert parse(data, pieces=1, **arguments) == frame
    assert parse(data, tail=b"\x81\x00", **arguments) == frame
    return frame


def test_parse() -> None:
    assert parse_thrice(HELLO) == Frame(TEXT, b"Hello")
    assert parse_thrice(MASKED_HELLO, mask=True) == Frame(TEXT, b"Hello")
    assert parse_thrice(b"\x89\x00") == Frame(PING, b"")
    assert parse_thrice(b"\x80\x01a") == Frame(CONT, b"a")
    assert parse_thrice(b"\x02\x01a") == Frame(BINARY, b"a", fin=False)


@pytest.mark.parametrize("size", [0, 125, 126, 127, 65535, 65536])
@pytest.mark.parametrize("mask", [False, True])
def test_parse_undoes_serialize(size: int, mask: bool) -> None:
    frame = Frame(BINARY, os.urandom(size))
    data = frame.serialize(mask=mask)
    assert parse(data, mask=mask) == frame
    assert parse(data, mask=mask, pieces=1 + size // 100) == frame


def test_parse_text_that_is_not_utf8() -> None:
    """A frame alone may begin or end in the middle of a character."""
    assert parse_thrice(b"\x01\x01\xe2") == Frame(TEXT, b"\xe2", fin=False)
    assert parse_thrice(b"\x80\x02\x82\xac") == Frame(CONT, b"\x82\xac")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("83 00", "invalid opcode"),
        ("c1 00", "reserved bits must be 0"),
        ("81 80 00000000", "incorrect masking"),
        ("09 00", "fragmented control frame"),
        ("89 7e 007e", "control frame too long"),
    ],
)
def test_parse_faults(data: str, text: str) -> None:
    for size in (1, 100):
        reader = StreamReader()
        parser = Frame.parse(reader.read_exact, mask=False)
        with pytest.raises(ProtocolError) as caught:
            for start in range(0, 100, size):
                reader.feed_data(bytes.fromhex(data)[start : start + size])
                next(parser)
        assert str(caught.value) == text


def test_parse_unmasked_frame_on_a_server() -> None:
    with pytest.raises(ProtocolError, match="^incorrect masking$"):
        parse(HELLO, mask=True)


def test_parse_max_size() -> None:
    assert parse(HELLO, max_size=5) == Frame(TEXT, b"Hello")
    with pytest.raises(PayloadTooBig) as caught:
        parse(HELLO[:2], max_size=4)
    assert str(caught.value) == "frame with 5 bytes exceeds limit of 4 bytes"


@pytest.mark.parametrize("size", range(len(MASKED_HELLO)))
def test_parse_at_the_end_of_the_stream(size: int) -> None:
    reader = StreamReader()
    reader.feed_data(MASKED_HELLO[:size])
    reader.feed_eof()
    with pytest.raises(EOFError):
        next(Frame.parse(reader.read_exact, mask=True))


def test_parse_with_another_reader() -> None:
    def read_exact(size: int) -> Generator[None, None, bytearray]:
        yield
        return bytearray(next(pieces) for _ in range(size))

    pieces = iter(HELLO)
    parser = Frame.parse(read_exact, mask=False)
    with pytest.raises(StopIteration) as caught:
        for _ in range(10):
            next(parser)
    assert caught.value.value == Frame(TEXT, b"Hello")


# Frame: extensions.


class Marking(Extension):
    """Writes its name behind payloads, and sets RSV2."""

    def __init__(self, name: bytes) -> None:
        self.mark = name

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        data = bytes(frame.data)
        assert data.endswith(self.mark)
        data = data.removesuffix(self.mark)
        return dataclasses.replace(frame, data=data, rsv2=False)

    def encode(self, frame: Frame) -> Frame:
        data = bytes(frame.data) + self.mark
        return dataclasses.replace(frame, data=data, rsv2=True)


def make_deflate() -> PerMessageDeflate:
    return PerMessageDeflate(False, False, 15, 15)


def test_serialize_with_extensions_in_order() -> None:
    extensions = [Marking(b"1"), Marking(b"2")]
    data = Frame(TEXT, b"a").serialize(mask=False, extensions=extensions)
    assert data == b"\xa1\x03a12"
    assert parse_thrice(data, extensions=extensions) == Frame(TEXT, b"a")


class SettingBits(Extension):
    """Sets reserved bits, and nothing else."""

    def __init__(self, **bits: Any) -> None:
        self.bits = bits

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        assert {name: getattr(frame, name) for name in self.bits} == self.bits
        unset: dict[str, Any] = dict.fromkeys(self.bits, False)
        return dataclasses.replace(frame, **unset)

    def encode(self, frame: Frame) -> Frame:
        return dataclasses.replace(frame, **self.bits)


@pytest.mark.parametrize(("name", "bit"), [("rsv1", 64), ("rsv2", 32), ("rsv3", 16)])
def test_reserved_bits_of_extensions(name: str, bit: int) -> None:
    extensions = [SettingBits(**{name: True})]
    data = Frame(TEXT, b"a").serialize(mask=False, extensions=extensions)
    assert data == bytes([0x81 | bit, 1]) + b"a"
    assert parse_thrice(data, extensions=extensions) == Frame(TEXT, b"a")


def test_serialize_with_compression() -> None:
    frame = Frame(TEXT, b"Hello")
    data = frame.serialize(mask=False, extensions=[make_deflate()])
    assert data == COMPRESSED_HELLO
    assert parse(data, extensions=[make_deflate()]) == frame
    assert parse(data, pieces=1, extensions=[make_deflate()]) == frame


def test_parse_max_size_reaches_extensions() -> None:
    extensions = [make_deflate()]
    data = Frame(BINARY, bytes(1000)).serialize(mask=False, extensions=extensions)
    assert len(parse(data, extensions=[make_deflate()], max_size=1000).data) == 1000
    with pytest.raises(PayloadTooBig):
        parse(data, extensions=[make_deflate()], max_size=999)


@pytest.mark.parametrize("first", ["a1", "91", "f1", "c9"])
def test_parse_bits_that_no_extension_takes(first: str) -> None:
    with pytest.raises(ProtocolError, match="^reserved bits must be 0$"):
        parse(bytes.fromhex(first) + b"\x01\x00", extensions=[make_deflate()])


# Frame: serialize() and check().


def test_serialize() -> None:
    assert Frame(TEXT, b"Hello").serialize(mask=False) == HELLO
    assert Frame(CONT, b"a", fin=False).serialize(mask=False) == b"\x00\x01a"
    assert Frame(PONG, bytearray(b"a")).serialize(mask=False) == b"\x8a\x01a"
    assert Frame(BINARY, memoryview(b"a")).serialize(mask=False) == b"\x82\x01a"


def test_serialize_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "generate_mask", lambda: MASKED_HELLO[2:6])
    for data in (b"Hello", bytearray(b"Hello"), memoryview(b"Hello")):
        assert Frame(TEXT, data).serialize(mask=True) == MASKED_HELLO


@pytest.mark.parametrize("mask", [False, True])
def test_serialize_memoryview_of_numbers(mask: bool) -> None:
    """The length is that of the bytes, not of the numbers."""
    numbers = memoryview(array.array("H", [258, 772]))
    expected = Frame(BINARY, numbers.tobytes())
    assert parse(Frame(BINARY, numbers).serialize(mask=mask), mask=mask) == expected
    assert str(Frame(BINARY, numbers)) == str(expected)


def test_serialize_memoryview_with_gaps() -> None:
    data = Frame(BINARY, memoryview(b"abcdef")[::2]).serialize(mask=False)
    assert data == b"\x82\x03ace"


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (Frame(TEXT, b"", rsv1=True), "reserved bits must be 0"),
        (Frame(TEXT, b"", rsv2=True), "reserved bits must be 0"),
        (Frame(PING, b"", rsv3=True), "reserved bits must be 0"),
        (Frame(CLOSE, bytes(126)), "control frame too long"),
        (Frame(PING, bytes(126)), "control frame too long"),
        (Frame(PONG, b"", fin=False), "fragmented control frame"),
    ],
)
def test_check(frame: Frame, text: str) -> None:
    for method in (frame.check, lambda: frame.serialize(mask=False)):
        with pytest.raises(ProtocolError) as caught:
            method()
        assert str(caught.value) == text


def test_check_what_is_right() -> None:
    Frame(CLOSE, bytes(125)).check()
    Frame(BINARY, bytes(126), fin=False).check()


# Frame: str().


@pytest.mark.parametrize(
    ("frame", "shown"),
    [
        (Frame(TEXT, b""), "TEXT '' [0 bytes]"),
        (Frame(TEXT, b"a"), "TEXT 'a' [1 byte]"),
        (Frame(TEXT, "café".encode()), "TEXT 'café' [5 bytes]"),
        (Frame(TEXT, b"a\nb"), r"TEXT 'a\nb' [3 bytes]"),
        (Frame(TEXT, b"a", fin=False), "TEXT 'a' [1 byte, continued]"),
        (Frame(TEXT, b"\xf2", rsv1=True), "TEXT f2 [1 byte, compressed]"),
        (Frame(BINARY, b""), "BINARY '' [0 bytes]"),
        (Frame(BINARY, b"\x00\xff"), "BINARY 00 ff [binary, 2 bytes]"),
        (Frame(BINARY, b"ab", fin=False), "BINARY 61 62 [binary, 2 bytes, continued]"),
        (Frame(CONT, b""), "CONT '' [0 bytes]"),
        (Frame(CONT, b"ab"), "CONT 'ab' [fragment, 2 bytes]"),
        (Frame(CONT, b"\xff"), "CONT ff [fragment, 1 byte]"),
        (Frame(CONT, b"a", fin=False), "CONT 'a' [fragment, 1 byte, continued]"),
        (Frame(PING, b""), "PING [0 bytes]"),
        (Frame(PING, b"ab"), "PING 'ab' [2 bytes]"),
        (Frame(PING, b"a\x00"), "PING 61 00 [2 bytes]"),
        (Frame(PONG, b"a\xff"), "PONG 61 ff [2 bytes]"),
        (Frame(TEXT, b"\xe6\xbc\xa2" * 30), f"TEXT '{'漢' * 30}' [90 bytes]"),
        (Frame(CLOSE, b""), "CLOSE [0 bytes]"),
        (Frame(CLOSE, b"\x03\xe8"), "CLOSE 1000 (OK) [2 bytes]"),
        (Frame(CLOSE, b"\x03\xe9Bye"), "CLOSE 1001 (going away) Bye [5 bytes]"),
        (Frame(CLOSE, b"\x03"), "CLOSE 03 [1 byte]"),
        (Frame(CLOSE, b"\x03\xed"), "CLOSE 03 ed [2 bytes]"),
        (Frame(CLOSE, b"\x03\xe8\xff"), "CLOSE 03 e8 ff [3 bytes]"),
        (Frame(BINARY, memoryview(b"\x01")), "BINARY 01 [binary, 1 byte]"),
    ],
)
def test_str(frame: Frame, shown: str) -> None:
    assert str(frame) == shown


def get_shown(frame: Frame) -> str:
    shown, _, _ = str(frame).removeprefix(f"{frame.opcode.name} ").rpartition(" [")
    return shown


@pytest.mark.parametrize("size", [73, 74, 75, 76, 200, 1000, 10**7])
def test_str_shortens(size: int) -> None:
    shown = get_shown(Frame(TEXT, b"a" * size))
    if size == 73:
        assert shown == repr("a" * size)
    else:
        assert shown == "'" + "a" * 49 + "..." + "a" * 21 + "'"
    shown = get_shown(Frame(BINARY, b"a" * size))
    assert len(shown) == 75
    assert shown.startswith("61 61 ")
    assert shown.endswith("61")


def test_str_shortens_text_of_wide_characters() -> None:
    text = "né" + "\U0001f600" * 100_000 + "zé"
    shown = get_shown(Frame(TEXT, text.encode()))
    faces = "\U0001f600"
    assert shown == f"'né{faces * 47}...{faces * 19}zé'"


@given(data=st.binary(max_size=2000), opcode=st.sampled_from(Opcode), fin=st.booleans())
def test_str_of_anything(data: bytes, opcode: Opcode, fin: bool) -> None:
    shown = str(Frame(opcode, data, fin))
    assert shown.startswith(opcode.name)
    assert str(len(data)) in shown
    # Of a close frame, the reason is shown as it is.
    if opcode is not CLOSE:
        assert len(shown) < 75 + 50
        assert shown.isprintable()


@pytest.mark.parametrize("limit", [0, 1, 5, 20])
def test_str_with_another_limit(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    monkeypatch.setattr(Frame, "MAX_LOG_SIZE", limit)
    for opcode in (TEXT, BINARY):
        for size in (10, 100, 1000):
            shown = get_shown(Frame(opcode, b"a" * size))
            # No less than one character of both ends.
            assert len(shown) <= max(limit, 5)
            assert "..." in shown or len(shown) <= limit


def test_limit_from_the_environment() -> None:
    code = "from websockets.frames import Frame; print(Frame.MAX_LOG_SIZE)"
    environment = {**os.environ, "WEBSOCKETS_MAX_LOG_SIZE": "33"}
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert result.stdout.strip() == b"33"
    assert Frame.MAX_LOG_SIZE == 75 or "WEBSOCKETS_MAX_LOG_SIZE" in os.environ


# Messages into frames.


def test_prepare_data() -> None:
    assert prepare_data("café") == (TEXT, b"caf\xc3\xa9")
    for data in (b"\xff", bytearray(b"\xff"), memoryview(b"\xff")):
        opcode, payload = prepare_data(data)  # type: ignore[arg-type]
        assert opcode is BINARY
        assert payload is data


def test_prepare_ctrl() -> None:
    assert prepare_ctrl("café") == b"caf\xc3\xa9"
    for data in (b"\xff", bytearray(b"\xff"), memoryview(b"\xff")):
        payload = prepare_ctrl(data)  # type: ignore[arg-type]
        assert payload == b"\xff"
        assert type(payload) is bytes


@pytest.mark.parametrize("prepare", [prepare_data, prepare_ctrl])
@pytest.mark.parametrize("data", [None, 42, ["a"], {"a": 1}])
def test_prepare_something_else(prepare: Any, data: Any) -> None:
    kind = type(data).__name__
    with pytest.raises(TypeError, match=f"^data must be str or bytes-like, not {kind}"):
        prepare(data)


def test_check_payload_size() -> None:
    check_payload_size(10**9, None)
    check_payload_size(5, 5)
    with pytest.raises(PayloadTooBig) as caught:
        check_payload_size(6, 5)
    assert (caught.value.size, caught.value.max_size) == (6, 5)


# Close.


@pytest.mark.parametrize(
    ("close", "data"),
    [
        (Close(CloseCode.NORMAL_CLOSURE, ""), b"\x03\xe8"),
        (Close(1001, "Bye"), b"\x03\xe9Bye"),
        (Close(4999, "café"), b"\x13\x87caf\xc3\xa9"),
    ],
)
def test_close(close: Close, data: bytes) -> None:
    assert close.serialize() == data
    for same in (data, bytearray(data), memoryview(data)):
        assert Close.parse(same) == close
    close.check()


def test_parse_close_without_code() -> None:
    assert Close.parse(b"") == Close(CloseCode.NO_STATUS_RCVD, "")


def test_parse_close_too_short() -> None:
    with pytest.raises(ProtocolError, match="^close frame too short$"):
        Close.parse(b"\x03")


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535])
def test_close_code_not_for_the_wire(code: int) -> None:
    for method in (Close(code, "").check, Close(code, "").serialize):
        with pytest.raises(ProtocolError, match="^invalid status code$"):
            method()
    with pytest.raises(ProtocolError, match="^invalid status code$"):
        Close.parse(code.to_bytes(2, "big"))


def test_parse_close_with_a_reason_that_is_not_utf8() -> None:
    with pytest.raises(UnicodeDecodeError):
        Close.parse(b"\x03\xe8\xff")


@pytest.mark.parametrize(
    ("close", "shown"),
    [
        (Close(CloseCode.NORMAL_CLOSURE, ""), "1000 (OK)"),
        (Close(1001, "Bye"), "1001 (going away) Bye"),
        (Close(3000, ""), "3000 (registered)"),
        (Close(4000, "x"), "4000 (private use) x"),
        (Close(2000, ""), "2000 (unknown)"),
    ],
)
def test_str_of_close(close: Close, shown: str) -> None:
    assert str(close) == shown
