"""The operations that touch every byte (websockets.speedups), in every build.

The plain Python module is loaded from its file, so that it is tested too where an
extension takes its place; both must do the same.
"""

from __future__ import annotations

import importlib.util
import os
import pathlib
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import websockets
from websockets import speedups

KEY = b"\x00\xff\x10\x80"


def load_plain() -> ModuleType:
    path = pathlib.Path(websockets.__file__).with_name("speedups.py")
    spec = importlib.util.spec_from_file_location("websockets._plain_speedups", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# Where the running module is the plain one, it is the one that coverage sees.
plain: Any = load_plain() if speedups.compiled else speedups

builds = pytest.mark.parametrize(
    "build", [speedups, plain] if speedups.compiled else [plain]
)


def slow_mask(data: bytes, mask: bytes) -> bytes:
    return bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))


@builds
def test_mask_of_the_rfc(build: Any) -> None:
    # RFC 6455, 5.7.
    masked = build.apply_mask(b"Hello", b"\x37\xfa\x21\x3d")
    assert masked == b"\x7f\x9f\x4d\x51\x58"


@builds
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_mask_takes_anything_like_bytes(build: Any, kind: type) -> None:
    for data in b"", b"abcdef", b"abcdef" * plain._LARGE:
        masked = build.apply_mask(kind(data), kind(KEY))
        assert type(masked) is bytes
        assert masked == build.apply_mask(data, KEY)


@builds
@pytest.mark.parametrize("mask", [b"", b"abc", b"abcde"])
def test_mask_must_have_4_bytes(build: Any, mask: bytes) -> None:
    with pytest.raises(ValueError, match="mask must contain 4 bytes; got"):
        build.apply_mask(b"data", mask)


@builds
@given(data=st.binary(max_size=70), mask=st.binary(min_size=4, max_size=4))
def test_every_way_to_mask_is_right(build: Any, data: bytes, mask: bytes) -> None:
    expected = slow_mask(data, mask)
    assert build.apply_mask(data, mask) == expected
    assert plain._mask_large(data, mask) == expected
    assert build.apply_mask(expected, mask) == data


@builds
@pytest.mark.parametrize("change", [-1, 0, 1, 2, 3])
def test_mask_around_the_threshold(build: Any, change: int) -> None:
    data = os.urandom(plain._LARGE + change)
    assert build.apply_mask(data, KEY) == slow_mask(data, KEY)


@builds
@given(
    parts=st.lists(st.tuples(st.booleans(), st.binary(max_size=20)), max_size=6),
    head=st.binary(max_size=9),
    rest=st.binary(max_size=9),
)
def test_gathers_payloads(
    build: Any, parts: list[tuple[bool, bytes]], head: bytes, rest: bytes
) -> None:
    whole = b"".join(part for _, part in parts)
    for mask in b"", KEY:
        sent = slow_mask(whole, mask) if mask else whole
        payload = build.Payload(len(whole), mask)
        for in_place, part in parts:
            size = len(payload)
            came = sent[size : size + len(part)]
            if in_place and part:
                room = payload.room()
                fits = min(len(room), len(came))
                room[:fits] = came[:fits]
                payload.filled(fits)
                came = came[fits:]
            data = bytearray(head + came + rest)
            payload.append(data, len(head), len(head) + len(came))
            assert bytes(payload.part(size)) == part
        assert len(payload) == len(whole)
        taken = payload.take_bytes()
        assert type(taken) is bytes
        assert taken == whole


@builds
def test_payloads_grow_with_what_has_come(build: Any) -> None:
    payload = build.Payload(2**40, b"")
    assert len(payload.room()) == 65536
    payload.filled(65536)
    assert len(payload.room()) == 7 * 65536 + 8
    old = payload.room()
    payload.filled(len(old))
    # The old place is nobody's; writing there does no harm.
    assert len(payload.room()) == 7 * len(payload) + 8
    old[:] = b"x" * len(old)


@builds
def test_payloads_of_text(build: Any) -> None:
    text = "h\u00e9llo \U0001f600"
    data = text.encode()
    payload = build.Payload(len(data), KEY)
    payload.append(bytearray(slow_mask(data, KEY)), 0, len(data))
    assert payload.take_text() == text
    payload = build.Payload(1, b"")
    payload.append(bytearray(b"\xff"), 0, 1)
    with pytest.raises(UnicodeDecodeError):
        payload.take_text()


@builds
def test_wrong_use_of_payloads(build: Any) -> None:
    with pytest.raises(ValueError, match="mask must contain 4 bytes; got 3"):
        build.Payload(1, b"abc")
    payload = build.Payload(4, b"")
    with pytest.raises(IndexError, match="outside"):
        payload.append(bytearray(5), 0, 5)
    with pytest.raises(IndexError, match="outside"):
        payload.filled(1)
    payload.append(bytearray(3), 0, 3)
    for wrong in -1, 2:
        with pytest.raises(IndexError, match="outside"):
            payload.filled(wrong)
    for take in payload.take_bytes, payload.take_text:
        with pytest.raises(IndexError, match="isn't complete"):
            take()
    payload.filled(1)
    with pytest.raises(IndexError, match="outside"):
        payload.room()


@builds
@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 65537])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_builds_frames(build: Any, size: int, kind: type) -> None:
    data = os.urandom(size)
    if size < 126:
        header = bytes([0x81, size])
    elif size < 65536:
        header = b"\x81\x7e" + size.to_bytes(2, "big")
    else:
        header = b"\x81\x7f" + size.to_bytes(8, "big")
    frame = build.build_frame(0x81, kind(data))
    assert type(frame) is bytes
    assert frame == header + data


@builds
@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 65537])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_builds_masked_frames(build: Any, size: int, kind: type) -> None:
    data = os.urandom(size)
    plain_frame = plain.build_frame(0x82, data)
    header = bytearray(plain_frame[: len(plain_frame) - size])
    header[1] |= 0x80
    frame = build.build_masked_frame(0x82, kind(data), KEY)
    assert type(frame) is bytes
    assert frame == header + KEY + slow_mask(data, KEY)
    with pytest.raises(ValueError, match="mask must contain 4 bytes"):
        build.build_masked_frame(0x82, kind(data), b"123")


@builds
@given(
    head=st.binary(min_size=4, max_size=20),
    payload=st.binary(max_size=300),
    rest=st.binary(max_size=9),
)
def test_takes_bytes(build: Any, head: bytes, payload: bytes, rest: bytes) -> None:
    start, stop = len(head), len(head) + len(payload)
    plain_data = bytearray(head + payload + rest)
    assert build.take_bytes(plain_data, start, stop, -1) == payload
    masked = bytearray(head + slow_mask(payload, head[-4:]) + rest)
    taken = build.take_bytes(masked, start, stop, start - 4)
    assert taken == payload
    assert type(taken) is bytes


@builds
@given(
    head=st.binary(min_size=4, max_size=20),
    text=st.text(max_size=300),
    rest=st.binary(max_size=9),
)
def test_takes_text(build: Any, head: bytes, text: str, rest: bytes) -> None:
    payload = text.encode()
    start, stop = len(head), len(head) + len(payload)
    plain_data = bytearray(head + payload + rest)
    assert build.take_text(plain_data, start, stop, -1) == text
    masked = bytearray(head + slow_mask(payload, head[-4:]) + rest)
    assert build.take_text(masked, start, stop, start - 4) == text
    # What lies around the payload stays as it is.
    assert masked[:start] == head
    assert masked[stop:] == rest


@builds
@pytest.mark.parametrize(
    "payload", [b"\xff", b"ab\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xaf"]
)
def test_text_must_be_utf_8(build: Any, payload: bytes) -> None:
    with pytest.raises(UnicodeDecodeError) as plainly:
        str(payload, "utf-8")
    data = bytearray(KEY + slow_mask(payload, KEY))
    with pytest.raises(UnicodeDecodeError) as raised:
        build.take_text(data, 4, 4 + len(payload), 0)
    assert raised.value.args[2:] == plainly.value.args[2:]
