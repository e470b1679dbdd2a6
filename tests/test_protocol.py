"""A connection without I/O, after its handshake (websockets.protocol)."""

from __future__ import annotations

import array
import dataclasses
import logging
import os
import uuid
import zlib
from collections.abc import Callable
from typing import Any

import pytest

from byhand import (
    CLIENT,
    CLOSED,
    CLOSING,
    CONNECTING,
    EOF,
    OPEN,
    SERVER,
    WIRE_CODES,
    Sent,
    binary,
    both_sides,
    close_payload,
    feed,
    frame,
    make,
    parse,
    receive,
    sent,
    split,
    text,
)
from websockets.exceptions import (
    ConnectionClosedOK,
    InvalidState,
    PayloadTooBig,
    ProtocolError,
)
from websockets.extensions.base import Extension
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.protocol import Protocol, Side, State
from websockets.typing import ExtensionName


class TestReceivingMessages:
    @both_sides
    def test_text_and_binary(self, side: Side) -> None:
        data = frame(side, 0x81, "héllo".encode()) + frame(side, 0x82, b"\xff\x00")
        protocol, events = receive(side, data)
        assert events == [text("héllo"), binary(b"\xff\x00")]
        assert sent(protocol) == []
        assert not protocol.close_expected()

    @both_sides
    def test_fragments_with_control_frames_between(self, side: Side) -> None:
        data = (
            frame(side, 0x01, b"\xe2\x82")
            + frame(side, 0x89, b"1")
            + frame(side, 0x00, b"\xac")
            + frame(side, 0x8A, b"2")
            + frame(side, 0x80)
        )
        protocol, events = receive(side, data)
        assert events == [
            text(b"\xe2\x82", False),
            Frame(Opcode.PING, b"1"),
            Frame(Opcode.CONT, b"\xac", False),
            Frame(Opcode.PONG, b"2"),
            Frame(Opcode.CONT, b""),
        ]
        assert sent(protocol) == [(0x8A, b"1")]

    def test_empty_data(self) -> None:
        protocol = make(CLIENT)
        assert feed(protocol, [b"", b"", frame(CLIENT, 0x81), b""]) == [text("")]

    def test_events_before_an_error_are_delivered(self) -> None:
        data = frame(CLIENT, 0x81, b"spam") + frame(CLIENT, 0x83)
        assert receive(CLIENT, data)[1] == [text("spam")]


class TestSending:
    @both_sides
    def test_data_frames(self, side: Side) -> None:
        protocol = make(side)
        protocol.send_text("héllo".encode())
        protocol.send_binary(b"\xff\x00")
        protocol.send_ping(b"ping")
        protocol.send_pong(b"pong")
        # Counted with 14 bytes for each header.
        assert protocol.unsent == 6 + 2 + 4 + 4 + 4 * 14
        assert sent(protocol) == [
            (0x81, "héllo".encode()),
            (0x82, b"\xff\x00"),
            (0x89, b"ping"),
            (0x8A, b"pong"),
        ]
        assert protocol.unsent == 0

    @both_sides
    @pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536, 100_000])
    def test_sizes(self, side: Side, size: int) -> None:
        protocol = make(side)
        payload = os.urandom(size)
        protocol.send_binary(payload)
        assert sent(protocol) == [(0x82, payload)]
        protocol.send_text(payload, fin=False)
        assert sent(protocol) == [(0x01, payload)]

    def test_mask_is_fresh(self) -> None:
        # RFC 6455, 5.3.
        protocol = make(CLIENT)
        for _ in range(10):
            protocol.send_binary(bytes(8))
        assert len(set(protocol.data_to_send())) == 10

    @both_sides
    @pytest.mark.parametrize("size", [8, 80_000])
    def test_any_kind_of_bytes(self, side: Side, size: int) -> None:
        words = array.array("I", os.urandom(size))
        data = words.tobytes()
        odd = memoryview(data)[::2]
        protocol = make(side)
        for item in bytearray(data), memoryview(data), memoryview(words), odd:
            protocol.send_binary(item)
            assert sent(protocol) == [(0x82, bytes(item))]
        protocol.send_text(memoryview(words), fin=False)
        protocol.send_continuation(memoryview(words), fin=True)
        assert sent(protocol) == [(0x01, data), (0x80, data)]
        protocol.send_ping(memoryview(words)[:2])
        assert sent(protocol) == [(0x89, data[:8])]

    @both_sides
    def test_what_is_mutable_is_copied(self, side: Side) -> None:
        for size in 10, 100_000:
            protocol = make(side)
            data = bytearray(size)
            protocol.send_binary(data)
            data[:] = b"x" * size
            assert sent(protocol) == [(0x82, bytes(size))]

    def test_large_bytes_are_not_copied(self) -> None:
        protocol = make(SERVER)
        data = bytes(100_000)
        protocol.send_binary(data)
        assert protocol.data_to_send()[1] is data

    @both_sides
    def test_fragments(self, side: Side) -> None:
        # RFC 6455, 5.4.
        protocol = make(side)
        with pytest.raises(ProtocolError, match="unexpected continuation frame"):
            protocol.send_continuation(b"", fin=True)
        protocol.send_text(b"a", fin=False)
        for method in protocol.send_text, protocol.send_binary:
            with pytest.raises(ProtocolError, match="expected a continuation frame"):
                method(b"b")
        protocol.send_ping(b"p")
        protocol.send_continuation(b"c", fin=False)
        protocol.send_continuation(b"d", fin=True)
        with pytest.raises(ProtocolError, match="unexpected continuation frame"):
            protocol.send_continuation(b"e", fin=False)
        protocol.send_binary(b"f")
        assert sent(protocol) == [
            (0x01, b"a"),
            (0x89, b"p"),
            (0x00, b"c"),
            (0x80, b"d"),
            (0x82, b"f"),
        ]

    def test_control_frame_too_long(self) -> None:
        protocol = make(CLIENT)
        for method in protocol.send_ping, protocol.send_pong:
            method(b"x" * 125)
            with pytest.raises(ProtocolError, match="control frame too long"):
                method(b"x" * 126)
        assert len(sent(protocol)) == 2

    @pytest.mark.parametrize("state", [CONNECTING, CLOSING, CLOSED])
    @both_sides
    def test_needs_an_open_connection(self, side: Side, state: State) -> None:
        protocol = make(side, state=state)
        calls: list[Callable[[], None]] = [
            lambda: protocol.send_text(b""),
            lambda: protocol.send_binary(b""),
            lambda: protocol.send_continuation(b"", fin=True),
            lambda: protocol.send_ping(b""),
            lambda: protocol.send_pong(b""),
            lambda: protocol.send_close(),
        ]
        for call in calls:
            with pytest.raises(InvalidState) as info:
                call()
            assert str(info.value) == f"connection is {state.name.lower()}"
        assert sent(protocol) == []

    @both_sides
    @pytest.mark.parametrize("code", WIRE_CODES)
    def test_close(self, side: Side, code: int) -> None:
        protocol = make(side)
        protocol.send_close(code, "x" * 123)
        assert sent(protocol) == [(0x88, close_payload(code, "x" * 123))]
        assert protocol.close_sent == Close(code, "x" * 123)

    def test_close_without_code(self) -> None:
        protocol = make(CLIENT)
        with pytest.raises(ProtocolError, match="reason without a code"):
            protocol.send_close(reason="bye")
        protocol.send_close()
        assert sent(protocol) == [(0x88, b"")]
        assert protocol.close_sent == Close(1005, "")

    @pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2999, 5000])
    def test_close_code_that_may_not_be_sent(self, code: int) -> None:
        protocol = make(CLIENT)
        with pytest.raises(ProtocolError, match="invalid status code"):
            protocol.send_close(code, "why")
        if code != 1006:
            with pytest.raises(ProtocolError, match="invalid status code"):
                protocol.fail(code)
        assert protocol.state is OPEN
        assert protocol.close_sent is None
        assert sent(protocol) == []

    def test_close_reason_too_long(self) -> None:
        protocol = make(CLIENT)
        with pytest.raises(ProtocolError, match="control frame too long"):
            protocol.send_close(1000, "é" * 62)
        assert protocol.state is OPEN
        assert protocol.close_sent is None


class TestFail:
    @both_sides
    def test_open(self, side: Side) -> None:
        protocol = make(side)
        protocol.fail(1008, "no")
        expected: Sent = [(0x88, close_payload(1008, "no"))]
        assert sent(protocol) == expected + ([EOF] if side is SERVER else [])
        assert protocol.state is CLOSING
        assert feed(protocol, [frame(side, 0x81)]) == []
        protocol.fail(1011)
        assert sent(protocol) == []

    @both_sides
    def test_without_close_frame(self, side: Side) -> None:
        protocol = make(side)
        protocol.fail(CloseCode.ABNORMAL_CLOSURE)
        assert sent(protocol) == ([EOF] if side is SERVER else [])
        assert protocol.state is CLOSING
        assert protocol.close_sent is None

    @pytest.mark.parametrize("state", [CONNECTING, CLOSING, CLOSED])
    @both_sides
    def test_not_open(self, side: Side, state: State) -> None:
        protocol = make(side, state=state)
        protocol.fail(1011)
        assert sent(protocol) == ([EOF] if side is SERVER else [])
        assert protocol.state is state

    def test_long_reason_is_cut_between_characters(self) -> None:
        protocol = make(CLIENT)
        protocol.fail(1008, "é" * 100)
        assert sent(protocol) == [(0x88, close_payload(1008, "é" * 61))]


class Broken(Extension):
    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        raise ZeroDivisionError


class Xor(Extension):
    """Changes each byte, and marks frames with a reserved bit unless told not to."""

    name = ExtensionName("x-xor")

    def __init__(self, number: int, bit: str | None = "rsv2", size: int = 1) -> None:
        self.number = number
        self.bit = bit
        self.size = size

    def change(self, frame: Frame, size: int, mark: bool) -> Frame:
        data = bytes(byte ^ self.number for byte in frame.data) * size
        bits: dict[str, Any] = {self.bit: mark} if self.bit else {}
        return dataclasses.replace(frame, data=data, **bits)

    def encode(self, frame: Frame) -> Frame:
        return self.change(frame, 1, True)

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        if self.bit and not getattr(frame, self.bit):
            return frame
        if max_size is not None and len(frame.data) * self.size > max_size:
            raise PayloadTooBig(len(frame.data) * self.size, max_size)
        return self.change(frame, self.size, False)


class TestExtensions:
    @both_sides
    @pytest.mark.parametrize("bit, mark", [("rsv2", 0x20), ("rsv3", 0x10), (None, 0)])
    def test_one(self, side: Side, bit: str | None, mark: int) -> None:
        protocol = make(side)
        protocol.use_extensions([Xor(0xFF, bit)])
        protocol.send_text(b"\x00\x01", fin=False)
        protocol.send_ping(b"\x00")
        protocol.send_continuation(b"\x02", fin=True)
        first, cont = 0x01 | mark, 0x80 | mark
        assert sent(protocol) == [
            (first, b"\xff\xfe"),
            (0x89, b"\x00"),
            (cont, b"\xfd"),
        ]
        data = frame(side, first, b"\xff\xfe") + frame(side, 0x89, b"\x00")
        data += frame(side, cont, b"\xfd")
        for pieces in [data], split(data):
            assert feed(protocol, pieces) == [
                text(b"\x00\x01", False),
                Frame(Opcode.PING, b"\x00"),
                Frame(Opcode.CONT, b"\x02"),
            ]
        assert protocol.parser_exc is None

    def test_two_apply_in_order(self) -> None:
        left, right = make(CLIENT), make(SERVER)
        for protocol in left, right:
            protocol.use_extensions(
                [Xor(0xFF, None), PerMessageDeflate(False, False, 15, 15)]
            )
        data = bytes(500) + b"spam"
        left.send_binary(data)
        [(first, payload)] = parse(b"".join(left.data_to_send()), True)
        assert first == 0xC2
        inflated = zlib.decompressobj(wbits=-15).decompress(payload + b"\0\0\xff\xff")
        assert inflated == bytes(byte ^ 0xFF for byte in data)
        assert feed(right, [frame(SERVER, first, payload)]) == [binary(data)]

    def test_bit_of_no_extension(self) -> None:
        protocol = make(CLIENT)
        protocol.use_extensions([Xor(1, "rsv2")])
        feed(protocol, [frame(CLIENT, 0xC1, b"x")])
        assert protocol.close_sent == Close(1002, "reserved bits must be 0")

    def test_bit_of_no_extension_on_continuation(self) -> None:
        protocol = make(CLIENT)
        protocol.use_extensions([Xor(1, "rsv2")])
        feed(protocol, [frame(CLIENT, 0x01, b"x"), frame(CLIENT, 0xC0, b"x")])
        assert protocol.close_sent == Close(1002, "reserved bits must be 0")

    @pytest.mark.parametrize(
        "size, frames, reason",
        [
            (9, [(0xA2, b"ab")], "frame with 18 bytes exceeds limit of 16 bytes"),
            (
                3,
                [(0x22, b"abc"), (0xA0, b"abc")],
                "frame with 9 bytes after reading 9 bytes exceeds limit of 16 bytes",
            ),
            # The extension leaves this frame alone.
            (1, [(0x82, b"x" * 17)], "frame with 17 bytes exceeds limit of 16 bytes"),
        ],
    )
    def test_limit(
        self, size: int, frames: list[tuple[int, bytes]], reason: str
    ) -> None:
        data = b"".join(frame(CLIENT, *item) for item in frames)
        for pieces in [data], split(data):
            protocol = make(CLIENT, max_size=16)
            protocol.use_extensions([Xor(1, "rsv2", size)])
            feed(protocol, pieces)
            assert protocol.close_sent == Close(1009, reason)

    def test_decoded_text_is_checked(self) -> None:
        protocol = make(CLIENT)
        protocol.use_extensions([Xor(0xFF, None)])
        feed(protocol, [frame(CLIENT, 0x81, b"\x9e\x00")])
        assert protocol.close_sent == Close(1007, "invalid start byte at position 1")

    def test_none(self) -> None:
        protocol = make(SERVER)
        protocol.use_extensions([])
        assert protocol.compressor is None
        feed(protocol, [frame(SERVER, 0xC1)])
        assert protocol.close_sent == Close(1002, "reserved bits must be 0")


def deflated(side: Side, **kwargs: Any) -> Protocol:
    protocol = make(side, **kwargs)
    protocol.use_extensions([PerMessageDeflate(False, False, 15, 15)])
    return protocol


class TestCompression:
    @both_sides
    def test_messages(self, side: Side) -> None:
        left = deflated(side)
        right = deflated(SERVER if side is CLIENT else CLIENT)
        assert left.compressor is not None
        assert left.compressor.deflate is left.extensions[0]
        for number in range(3):
            data = b"spam %d " % number * 50
            left.send_text(data)
            wire = b"".join(left.data_to_send())
            assert len(wire) < 50
            assert wire[0] == 0xC1
            assert feed(right, split(wire)) == [text(data)]

    def test_fragments(self) -> None:
        left, right = deflated(CLIENT), deflated(SERVER)
        left.send_text(b"spam" * 50, fin=False)
        left.send_ping(b"x")
        left.send_continuation(b"eggs" * 50, fin=False)
        left.send_continuation(b"", fin=True)
        wire = b"".join(left.data_to_send())
        assert [first for first, _ in parse(wire, True)] == [0x41, 0x89, 0x00, 0x80]
        events = feed(right, [wire])
        data = [bytes(item.data) for item in events if item.opcode < 8]
        assert b"".join(data) == b"spam" * 50 + b"eggs" * 50

    def test_tiny_messages_are_not_compressed(self) -> None:
        protocol = deflated(SERVER)
        protocol.send_text(b"x" * 63)
        protocol.send_text(b"x" * 64)
        assert [item[0] for item in sent(protocol)] == [0x81, 0xC1]

    def test_uncompressed_message_goes_on_so(self) -> None:
        # A framework may send a continuation after a whole message of its own.
        protocol = deflated(SERVER)
        protocol.send_text(b"x")
        protocol.write_data(0, b"y" * 100)
        assert sent(protocol) == [(0x81, b"x"), (0x80, b"y" * 100)]

    def test_messages_that_do_not_shrink(self) -> None:
        left, right = deflated(SERVER), deflated(CLIENT)
        for _ in range(20):
            data = os.urandom(100)
            left.send_binary(data)
            wire = b"".join(left.data_to_send())
            assert wire[0] == 0x82
            assert feed(right, [wire]) == [binary(data)]

    def test_shrinking_again(self) -> None:
        left, right = deflated(SERVER), deflated(CLIENT)
        payloads = [
            os.urandom(100),
            b"x" * 100,
            b"x" * 100,
            os.urandom(100),
            b"x" * 100,
        ]
        for data in payloads:
            left.send_binary(data)
        wire = b"".join(left.data_to_send())
        frames = [first for first, _ in parse(wire, False)]
        assert frames == [0x82, 0x82, 0xC2, 0x82, 0x82]
        assert feed(right, [wire]) == [binary(data) for data in payloads]

    @both_sides
    def test_bomb(self, side: Side) -> None:
        encoder = zlib.compressobj(9, wbits=-15)
        bomb = encoder.compress(bytes(2**24)) + encoder.flush(zlib.Z_SYNC_FLUSH)
        data = frame(side, 0xC2, bomb[:-4])
        assert len(bomb) < 20_000
        for pieces in [data], split(data, 1000):
            protocol = deflated(side)
            feed(protocol, pieces)
            assert protocol.close_sent == Close(
                1009, f"frame exceeds limit of {2**20} bytes"
            )

    def test_bad_data(self) -> None:
        protocol = deflated(CLIENT)
        feed(protocol, [frame(CLIENT, 0xC2, b"\xff\xff\xff")])
        assert protocol.close_sent == Close(1002, "decompression failed")

    def test_bit_on_continuation(self) -> None:
        protocol = deflated(CLIENT)
        feed(protocol, [frame(CLIENT, 0x41), frame(CLIENT, 0xC0)])
        assert protocol.close_sent == Close(1002, "reserved bits must be 0")


def take(protocol: Protocol, data: bytes) -> list[tuple[int, str | bytes]]:
    """Read as a session does: from the reader, without frame objects."""
    taken = []
    reader = protocol.reader
    reader.feed(data)
    while reader.read_frame():
        taken.append((reader.opcode, protocol.take_data()))
    reader.settle()
    return taken


class TestForSessions:
    def test_text_and_binary(self) -> None:
        protocol = make(CLIENT)
        data = frame(CLIENT, 0x81, "é".encode()) + frame(CLIENT, 0x82, b"\xff")
        assert take(protocol, data) == [(1, "é"), (2, b"\xff")]

    def test_fragments_of_text(self) -> None:
        protocol = make(SERVER)
        data = frame(SERVER, 0x01, b"a\xc3") + frame(SERVER, 0x80, b"\xa9")
        assert take(protocol, data) == [(1, "a"), (0, "é")]

    @pytest.mark.parametrize("extension", ["deflate", "other"])
    def test_encoded(self, extension: str) -> None:
        left, right = (
            (deflated(CLIENT), deflated(SERVER))
            if extension == "deflate"
            else (make(CLIENT), make(SERVER))
        )
        if extension == "other":
            left.use_extensions([Xor(1)])
            right.use_extensions([Xor(1)])
        left.send_text("é".encode() * 50)
        left.send_binary(b"\xff" * 100)
        left.send_text(b"\xc3", fin=False)
        left.send_continuation(b"\xa9", fin=True)
        wire = b"".join(left.data_to_send())
        assert take(right, wire) == [
            (1, "é" * 50),
            (2, b"\xff" * 100),
            (1, ""),
            (0, "é"),
        ]

    @pytest.mark.parametrize("extension", ["deflate", "other"])
    def test_limit(self, extension: str) -> None:
        right = make(SERVER, max_size=99)
        left = make(CLIENT)
        for protocol in left, right:
            protocol.use_extensions(
                [PerMessageDeflate(False, False, 15, 15)]
                if extension == "deflate"
                else [Xor(1, "rsv2", 5)]
            )
        left.send_binary(b"x" * 10, fin=False)
        left.send_continuation(b"x" * 90, fin=True)
        with pytest.raises(PayloadTooBig) as info:
            take(right, b"".join(left.data_to_send()))
        assert info.value.current_size == (10 if extension == "deflate" else 50)

    def test_limit_of_fragments(self) -> None:
        """It is one of what is inflated."""
        left, right = make(CLIENT), make(SERVER, max_size=(None, 10))
        for protocol in left, right:
            protocol.use_extensions([PerMessageDeflate(False, False, 15, 15)])
        left.send_binary(b"x" * 10, fin=False)
        left.send_continuation(b"x" * 10, fin=True)
        content = b"".join(left.data_to_send())
        assert [data for _, data in take(right, content)] == [b"x" * 10] * 2
        left.send_binary(b"x" * 100)
        with pytest.raises(PayloadTooBig):
            take(right, b"".join(left.data_to_send()))

    def test_early_data_of_framework(self) -> None:
        protocol = make(CLIENT, state=CONNECTING)
        data = frame(CLIENT, 0x81, b"spam")
        protocol.open(data + data[:3])
        assert protocol.state is OPEN
        assert protocol.events_received() == [text("spam")]
        assert feed(protocol, [data[3:]]) == [text("spam")]

    def test_early_data_of_session(self) -> None:
        protocol = make(CLIENT)
        protocol.emits_frames = False
        protocol.open(frame(CLIENT, 0x81, b"spam"))
        assert protocol.events_received() == []
        assert take(protocol, b"") == [(1, "spam")]

    def test_no_early_data(self) -> None:
        protocol = make(CLIENT)
        protocol.open()
        assert protocol.state is OPEN
        assert feed(protocol, [frame(CLIENT, 0x81)]) == [text("")]

    def test_unread_frames_are_kept(self) -> None:
        protocol = make(CLIENT)
        protocol.reader.feed(frame(CLIENT, 0x81, b"spam"))
        protocol.reader.settle()
        protocol.receive_eof(keep_unread=True)
        assert protocol.state is CLOSED
        assert take(protocol, b"") == [(1, "spam")]


class TestErrors:
    """What each kind of error does; the rules are in test_protocol_rules.py."""

    @pytest.mark.parametrize(
        "data, code, reason",
        [
            (frame(CLIENT, 0x83), 1002, "invalid opcode"),
            (frame(CLIENT, 0x81, b"\xff"), 1007, "invalid start byte at position 0"),
            (frame(CLIENT, 0x82, b"12345"), 1009, None),
            (frame(CLIENT, 0x88, b"\x00"), 1002, "close frame too short"),
        ],
    )
    def test_close_code(self, data: bytes, code: int, reason: str | None) -> None:
        protocol, _ = receive(CLIENT, data, max_size=4)
        close = protocol.close_sent
        assert close is not None
        assert close.code == code
        assert reason is None or close.reason == reason
        protocol.receive_eof()
        assert protocol.close_exc.__cause__ is protocol.parser_exc is not None

    def test_our_own_fault(self, caplog: pytest.LogCaptureFixture) -> None:
        protocol = make(SERVER)
        protocol.use_extensions([Broken()])
        feed(protocol, [frame(SERVER, 0x82, b"x")])
        assert sent(protocol) == [(0x88, close_payload(1011)), EOF]
        [record] = caplog.records
        assert record.getMessage() == "parser failed"
        assert record.levelname == "ERROR"
        assert isinstance(protocol.parser_exc, ZeroDivisionError)

    @both_sides
    def test_closing_handshake(self, side: Side) -> None:
        protocol, _ = receive(side, frame(side, 0x88, close_payload(1000)))
        assert sent(protocol) == [(0x88, close_payload(1000)), EOF][: 2 - side]
        with pytest.raises(InvalidState, match="isn't closed yet; it is closing"):
            _ = protocol.close_exc
        protocol.receive_eof()
        protocol.receive_eof()
        assert type(protocol.close_exc) is ConnectionClosedOK
        assert (protocol.close_code, protocol.close_reason) == (1000, "")

    def test_ours_first(self) -> None:
        protocol = make(CLIENT)
        protocol.send_close()
        feed(protocol, [frame(CLIENT, 0x89), frame(CLIENT, 0x88)])
        assert sent(protocol) == [(0x88, b""), (0x8A, b"")]
        assert protocol.close_rcvd_then_sent is False

    def test_lost(self) -> None:
        protocol = make(CLIENT)
        assert (protocol.close_code, protocol.close_reason) == (None, None)
        feed(protocol, [b"\x82"])
        protocol.receive_eof()
        assert str(protocol.parser_exc) == "stream ends after 1 bytes, inside a frame"
        assert (protocol.close_code, protocol.close_reason) == (1006, "")
        protocol = make(CLIENT)
        feed(protocol, [b"\x02\x00"])
        protocol.receive_eof()
        assert str(protocol.parser_exc) == "stream ends inside a fragmented message"

    def test_pongs_are_held(self) -> None:
        protocol = make(CLIENT)
        protocol.hold_pongs = True
        feed(protocol, [frame(CLIENT, 0x89, b"1") + frame(CLIENT, 0x89, b"2")])
        protocol.release_pong()
        protocol.release_pong()
        assert sent(protocol) == [(0x8A, b"2")]


class TestAttributes:
    def test_defaults(self) -> None:
        protocol = make(CLIENT)
        assert protocol.side is CLIENT
        assert protocol.state is OPEN
        assert protocol.max_size == 2**20
        assert protocol.extensions == []
        assert protocol.subprotocol is None
        assert protocol.handshake_exc is protocol.parser_exc is None
        assert protocol.close_rcvd is protocol.close_sent is None
        assert protocol.logger is logging.getLogger("websockets.protocol")
        assert not protocol.debug

    def test_id(self) -> None:
        protocol = make(CLIENT)
        assert isinstance(protocol.id, uuid.UUID)
        assert protocol.id == protocol.id != make(CLIENT).id
        other = uuid.uuid4()
        protocol.id = other
        assert protocol.id is other

    @pytest.mark.parametrize(
        "max_size, message, frame_size",
        [(5, 5, None), (None, None, None), ((5, 3), 5, 3), ((None, 3), None, 3)],
    )
    def test_max_size(
        self, max_size: Any, message: int | None, frame_size: int | None
    ) -> None:
        protocol = make(CLIENT, max_size=max_size)
        assert protocol.max_size == protocol.reader.max_size == message
        assert protocol.reader.max_frame_size == frame_size

    def test_max_size_may_change(self) -> None:
        protocol = make(CLIENT)
        protocol.max_size = 3
        feed(protocol, [frame(CLIENT, 0x82, b"spam")])
        assert protocol.close_sent is not None
        assert protocol.close_sent.code == 1009

    @pytest.mark.parametrize("state", list(State))
    def test_close_expected(self, state: State) -> None:
        protocol = make(CLIENT, state=state)
        assert protocol.close_expected() is (state in (CLOSING, CLOSED))

    def test_close_expected_after_a_failed_handshake(self) -> None:
        protocol = make(CLIENT, state=CONNECTING)
        protocol.handshake_exc = ValueError()
        assert protocol.close_expected()
        protocol = make(SERVER, state=CONNECTING)
        protocol.send_eof()
        assert protocol.close_expected()

    def test_no_handshake(self) -> None:
        protocol = make(CLIENT, state=CONNECTING)
        with pytest.raises(InvalidState, match="Protocol has no opening handshake"):
            protocol.receive_data(b"x")
        protocol.receive_eof()
        assert protocol.state is CLOSED
        # Frameworks may do it by themselves.
        protocol = make(CLIENT, state=CONNECTING)
        protocol.state = OPEN
        protocol.send_ping(b"")


class TestLogging:
    def test_debug(self, caplog: pytest.LogCaptureFixture) -> None:
        logger = logging.getLogger("spam")
        caplog.set_level(logging.DEBUG, "spam")
        protocol = make(CLIENT, logger=logger)
        assert protocol.debug
        assert protocol.logger is logger
        protocol.send_text(b"hello")
        protocol.send_ping(b"x")
        feed(protocol, [frame(CLIENT, 0x81, b"hi") + frame(CLIENT, 0x89, b"y")])
        protocol.send_close(1001)
        feed(protocol, [frame(CLIENT, 0x88, close_payload(1001))])
        protocol.receive_eof()
        assert [record.getMessage() for record in caplog.records] == [
            "> TEXT 'hello' [5 bytes]",
            "> PING 'x' [1 byte]",
            "< TEXT 'hi' [2 bytes]",
            "< PING 'y' [1 byte]",
            "> PONG 'y' [1 byte]",
            "> CLOSE 1001 (going away) [2 bytes]",
            "= connection is CLOSING",
            "< CLOSE 1001 (going away) [2 bytes]",
            "< EOF",
            "> EOF",
            "= connection is CLOSED",
        ]

    def test_extensions_are_not_shown(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG, "websockets.protocol")
        protocol = make(SERVER)
        protocol.use_extensions([Xor(1)])
        protocol.send_text(b"hello")
        feed(protocol, [frame(SERVER, 0xA1, b"ih")])
        assert [record.getMessage() for record in caplog.records] == [
            "> TEXT 'hello' [5 bytes]",
            "< TEXT 'hi' [2 bytes]",
        ]

    def test_logger_is_wrapped_on_first_use(self) -> None:
        protocol = make(CLIENT)
        wrapped = []

        def wrap(logger: Any) -> Any:
            wrapped.append(logger)
            return logging.LoggerAdapter(logger, {})

        protocol.wrap_logger(wrap)
        assert wrapped == []
        first = protocol.logger
        assert isinstance(first, logging.LoggerAdapter)
        assert protocol.logger is first
        assert wrapped == [logging.getLogger("websockets.protocol")]

    def test_logger_may_be_replaced(self) -> None:
        protocol = make(CLIENT)
        protocol.wrap_logger(lambda logger: logging.getLogger("other"))
        protocol.logger = logging.getLogger("spam")
        assert protocol.logger is logging.getLogger("spam")
        protocol.wrap_logger(lambda logger: logging.getLogger("other"))
        protocol.wrap_logger(None)
        assert protocol.logger is logging.getLogger("spam")
