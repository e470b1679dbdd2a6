"""RFC 6455, 5 to 8, rule by rule, on both sides (websockets.protocol)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byhand import (
    CLIENT,
    CLOSED,
    CLOSING,
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
    receive,
    sent,
    split,
    text,
)
from websockets.exceptions import (
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidState,
    PayloadTooBig,
    ProtocolError,
    TooManyFragments,
)
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.protocol import Protocol, Side


def wrong_masking(side: Side) -> bytes:
    return frame(CLIENT if side is SERVER else SERVER, 0x81, b"spam")


def bad_close(payload: bytes) -> Callable[[Side], bytes]:
    return lambda side: frame(side, 0x88, payload)


def many(*frames: tuple[int, bytes]) -> Callable[[Side], bytes]:
    return lambda side: b"".join(frame(side, *item) for item in frames)


MAX = 2**20
FAULTS: list[tuple[Callable[[Side], bytes], int, str | None, dict[str, Any]]] = [
    (wrong_masking, 1002, "incorrect masking", {}),
    (many((0x80, b"")), 1002, "unexpected continuation frame", {}),
    (many((0x00, b"x")), 1002, "unexpected continuation frame", {}),
    (many((0x01, b"a"), (0x81, b"b")), 1002, "expected a continuation frame", {}),
    (many((0xC1, b"a")), 1002, "reserved bits must be 0", {}),
    (many((0xA2, b"a")), 1002, "reserved bits must be 0", {}),
    (many((0x99, b"a")), 1002, "reserved bits must be 0", {}),
    (many((0x83, b"")), 1002, "invalid opcode", {}),
    (many((0x8B, b"")), 1002, "invalid opcode", {}),
    (many((0x09, b"")), 1002, "fragmented control frame", {}),
    (many((0x89, b"x" * 126)), 1002, "control frame too long", {}),
    (bad_close(b"\x03"), 1002, "close frame too short", {}),
    *(
        (bad_close(close_payload(code)), 1002, "invalid status code", {})
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535]
    ),
    (bad_close(b"\x03\xe8\xff"), 1007, "invalid start byte at position 0", {}),
    (bad_close(b"\x03\xe8\xc3"), 1007, "unexpected end of data at position 0", {}),
    (many((0x81, b"\xff")), 1007, "invalid start byte at position 0", {}),
    (many((0x81, b"a\xe2\x28")), 1007, None, {}),
    (many((0x01, b"\xe2\x82"), (0x80, b"a")), 1007, None, {}),
    (many((0x01, b"\xe2\x82"), (0x80, b"")), 1007, None, {}),
    (many((0x01, b"\xed\xa0"), (0x00, b"")), 1007, None, {}),
    (
        many((0x81, b"spam")),
        1009,
        "frame with 4 bytes exceeds limit of 3 bytes",
        {"max_size": 3},
    ),
    (
        many((0x02, b"1"), (0x80, b"22")),
        1009,
        "frame with 2 bytes after reading 1 bytes exceeds limit of 2 bytes",
        {"max_size": 2},
    ),
    (
        many((0x02, b"12"), (0x80, b"345")),
        1009,
        "frame with 3 bytes exceeds limit of 2 bytes",
        {"max_size": (10, 2)},
    ),
    (
        many((0x82, b"345")),
        1009,
        "frame with 3 bytes exceeds limit of 2 bytes",
        {"max_size": (None, 2)},
    ),
    (
        lambda side: frame(side, 0x82, size=2**63),
        1009,
        f"frame with {2**63} bytes exceeds limit of {MAX} bytes",
        {},
    ),
    (
        lambda side: frame(side, 0x82, size=2**63),
        1002,
        "invalid frame length",
        {"max_size": None},
    ),
    (
        many((0x02, b""), *[(0x00, b"")] * 4096),
        1009,
        "fragmented message exceeds limit of 4096 small frames",
        {},
    ),
]


class TestFaults:
    """RFC 6455, 7.1.7: what breaks a rule fails the connection, on both sides."""

    @both_sides
    @pytest.mark.parametrize("build, code, reason, kwargs", FAULTS)
    def test_fault(
        self,
        build: Callable[[Side], bytes],
        code: int,
        reason: str | None,
        kwargs: dict[str, Any],
        side: Side,
    ) -> None:
        data = build(side)
        for pieces in [data], split(data), [data + frame(side, 0x81, b"tail")]:
            self.check(make(side, **kwargs), pieces, code, reason)

    def check(
        self, protocol: Protocol, pieces: list[bytes], code: int, reason: str | None
    ) -> None:
        side = protocol.side
        events = feed(protocol, pieces)
        assert text("tail") not in events
        assert protocol.state is CLOSING
        close = protocol.close_sent
        assert close is not None
        assert close.code == code
        assert reason is None or close.reason == reason
        expected: Sent = [(0x88, close_payload(code, close.reason))]
        # A server ends the TCP connection first.
        assert sent(protocol) == expected + ([EOF] if side is SERVER else [])
        assert protocol.close_expected()
        # Nothing more is read, not even a close frame.
        more = frame(side, 0x89) + frame(side, 0x88, close_payload(1000))
        rcvd = protocol.close_rcvd
        assert feed(protocol, split(more)) == []
        assert sent(protocol) == []
        protocol.receive_eof()
        assert sent(protocol) == ([] if side is SERVER else [EOF])
        assert protocol.state is CLOSED
        exc = protocol.close_exc
        assert type(exc) is ConnectionClosedError
        assert (exc.rcvd, exc.sent) == (rcvd, close)
        assert exc.__cause__ is protocol.parser_exc is not None

    def test_errors(self) -> None:
        for data, expected in [
            (frame(CLIENT, 0x83), ProtocolError),
            (frame(CLIENT, 0x82, b"12345"), PayloadTooBig),
            (frame(CLIENT, 0x81, b"\xff"), UnicodeDecodeError),
            (frame(CLIENT, 0x02) + frame(CLIENT, 0x00) * 4096, TooManyFragments),
        ]:
            protocol, _ = receive(CLIENT, data, max_size=4)
            assert type(protocol.parser_exc) is expected

    @both_sides
    @pytest.mark.parametrize("closing", [False, True])
    def test_close_inside_a_message(self, side: Side, closing: bool) -> None:
        """RFC 6455, 5.5.1: it may be delayed until the message is sent, or not."""
        protocol = make(side)
        if closing:
            protocol.send_close(1001)
        data = frame(side, 0x01, b"a") + frame(side, 0x88, close_payload(1000, "bye"))
        protocol.receive_data(data)
        protocol.receive_eof()
        exc = protocol.close_exc
        if closing:
            assert isinstance(exc, ConnectionClosedOK)
            assert exc.__cause__ is None
        else:
            # Part of a message has come, and won't be received.
            assert isinstance(exc, ConnectionClosedError)
            assert str(exc.__cause__) == "close frame inside a fragmented message"
        assert exc.rcvd == Close(1000, "bye")
        assert exc.sent == (Close(1001, "") if closing else Close(1000, "bye"))
        assert exc.rcvd_then_sent is not closing

    @both_sides
    def test_fault_after_our_close_frame(self, side: Side) -> None:
        protocol = make(side)
        protocol.send_close(1001)
        sent(protocol)
        feed(protocol, [frame(side, 0x83)])
        assert sent(protocol) == ([EOF] if side is SERVER else [])
        assert protocol.close_sent == Close(1001, "")
        assert isinstance(protocol.parser_exc, ProtocolError)

    @both_sides
    def test_bad_text_fails_inside_a_frame(self, side: Side) -> None:
        # RFC 6455, 8.1.
        protocol = make(side)
        data = frame(side, 0x01, b"a\xf0\x9f\x98") + frame(side, 0x00, b"(" + b"x" * 90)
        at = data.index(b"x" * 4) if side is CLIENT else len(data) - 90
        feed(protocol, split(data[: at - 1]))
        assert protocol.state is OPEN
        protocol.receive_data(data[at - 1 : at])
        assert protocol.state is CLOSING
        assert protocol.close_sent is not None
        assert protocol.close_sent.code == 1007


class TestSizes:
    @both_sides
    @pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
    def test_sizes(self, side: Side, size: int) -> None:
        payload = b"\xff" * size
        protocol = make(side)
        data = frame(side, 0x82, payload)
        assert feed(protocol, [data]) == [binary(payload)]
        assert feed(protocol, split(data, 1001)) == [binary(payload)]


class TestControlFrames:
    @both_sides
    @pytest.mark.parametrize("payload", [b"", b"x", b"\xff" * 125])
    def test_ping_is_answered(self, side: Side, payload: bytes) -> None:
        protocol, events = receive(side, frame(side, 0x89, payload))
        assert events == [Frame(Opcode.PING, payload)]
        assert sent(protocol) == [(0x8A, payload)]

    @both_sides
    def test_pong_is_not_answered(self, side: Side) -> None:
        protocol, events = receive(side, frame(side, 0x8A, b"x"))
        assert events == [Frame(Opcode.PONG, b"x")]
        assert sent(protocol) == []

    @both_sides
    def test_ping_is_answered_after_our_close_frame(self, side: Side) -> None:
        # RFC 6455, 5.5.2: until the peer's close frame comes.
        protocol = make(side)
        protocol.send_close()
        sent(protocol)
        assert feed(protocol, [frame(side, 0x89, b"x")]) == [Frame(Opcode.PING, b"x")]
        assert sent(protocol) == [(0x8A, b"x")]
        feed(protocol, [frame(side, 0x88), frame(side, 0x89, b"y")])
        assert sent(protocol) == ([EOF] if side is SERVER else [])

    def test_ping_is_not_answered_after_the_end_of_our_stream(self) -> None:
        protocol = make(SERVER)
        protocol.send_eof()
        feed(protocol, [frame(SERVER, 0x89, b"x")])
        assert sent(protocol) == [EOF]
        protocol.hold_pongs = True
        feed(protocol, [frame(SERVER, 0x89, b"x")])
        protocol.release_pong()
        assert sent(protocol) == []

    def test_pongs_are_held(self) -> None:
        # RFC 6455, 5.5.3: only the most recent ping needs an answer.
        protocol = make(SERVER)
        protocol.hold_pongs = True
        pings = b"".join(frame(SERVER, 0x89, b"%d" % i) for i in range(1000))
        feed(protocol, [pings])
        assert sent(protocol) == []
        protocol.release_pong()
        assert sent(protocol) == [(0x8A, b"999")]
        feed(protocol, [frame(SERVER, 0x89, b"x")])
        assert sent(protocol) == [(0x8A, b"x")]
        protocol.release_pong()
        assert sent(protocol) == []

    @both_sides
    def test_held_pong_is_sent_until_a_close_frame_comes(self, side: Side) -> None:
        for close in b"", frame(side, 0x88):
            protocol = make(side)
            protocol.hold_pongs = True
            feed(protocol, [frame(side, 0x89, b"x")])
            protocol.send_close()
            feed(protocol, [close])
            sent(protocol)
            protocol.release_pong()
            assert sent(protocol) == ([] if close else [(0x8A, b"x")])


class TestClosing:
    @both_sides
    @pytest.mark.parametrize("code", WIRE_CODES)
    def test_close_is_answered(self, side: Side, code: int) -> None:
        # RFC 6455, 5.5.1.
        payload = close_payload(code, "bye… " + "x" * 100)
        protocol, events = receive(side, frame(side, 0x88, payload))
        assert events == [Frame(Opcode.CLOSE, payload)]
        expected: Sent = [(0x88, payload)]
        assert sent(protocol) == expected + ([EOF] if side is SERVER else [])
        assert protocol.state is CLOSING
        assert protocol.close_expected()
        protocol.receive_eof()
        assert sent(protocol) == ([] if side is SERVER else [EOF])
        close = Close(code, "bye… " + "x" * 100)
        exc = protocol.close_exc
        expected_exc = ConnectionClosedOK if code < 1002 else ConnectionClosedError
        assert type(exc) is expected_exc
        assert (exc.rcvd, exc.sent, exc.rcvd_then_sent) == (close, close, True)
        assert exc.__cause__ is None
        assert (protocol.close_code, protocol.close_reason) == (code, close.reason)

    @both_sides
    def test_empty_close_is_answered(self, side: Side) -> None:
        protocol, _ = receive(side, frame(side, 0x88))
        assert sent(protocol)[0] == (0x88, b"")
        protocol.receive_eof()
        assert (protocol.close_code, protocol.close_reason) == (1005, "")
        assert type(protocol.close_exc) is ConnectionClosedOK

    @both_sides
    def test_our_close_is_answered(self, side: Side) -> None:
        protocol = make(side)
        protocol.send_close(CloseCode.GOING_AWAY, "later")
        assert sent(protocol) == [(0x88, close_payload(1001, "later"))]
        assert protocol.state is CLOSING
        assert protocol.close_expected()
        # What was under way may still come.
        assert feed(protocol, [frame(side, 0x81, b"spam")]) == [text("spam")]
        feed(protocol, [frame(side, 0x88, close_payload(1001, "later"))])
        assert sent(protocol) == ([EOF] if side is SERVER else [])
        protocol.receive_eof()
        exc = protocol.close_exc
        assert type(exc) is ConnectionClosedOK
        assert exc.rcvd_then_sent is False
        assert exc.rcvd == exc.sent == Close(1001, "later")

    @both_sides
    def test_data_after_close_is_ignored(self, side: Side) -> None:
        # RFC 6455, 1.4.
        data = frame(side, 0x88, close_payload(1000))
        more = frame(side, 0x81, b"spam") + frame(side, 0x89) + b"\xff\xff\xff"
        for pieces in [data + more], split(data + more), [data, more]:
            protocol = make(side)
            assert len(feed(protocol, pieces)) == 1
            assert len(sent(protocol)) == (2 if side is SERVER else 1)
            protocol.receive_eof()
            assert protocol.parser_exc is None

    @both_sides
    def test_end_of_stream(self, side: Side) -> None:
        protocol = make(side)
        protocol.receive_eof()
        protocol.receive_eof()
        assert sent(protocol) == [EOF]
        assert protocol.state is CLOSED
        assert protocol.close_expected()
        assert (protocol.close_code, protocol.close_reason) == (1006, "")
        exc = protocol.close_exc
        assert type(exc) is ConnectionClosedError
        assert (exc.rcvd, exc.sent, exc.rcvd_then_sent) == (None, None, None)
        assert exc.__cause__ is None
        # There can't be more, but it would do no harm.
        assert feed(protocol, [frame(side, 0x89)]) == []
        assert sent(protocol) == []

    @pytest.mark.parametrize(
        "data, expected",
        [
            (b"\x82", "stream ends after 1 bytes, inside a frame"),
            (b"\x82\x04spa", "stream ends after 3 bytes, inside a frame"),
            (b"\x89\x04spa", "stream ends after 5 bytes, inside a frame"),
            (b"\x02\x01s", "stream ends inside a fragmented message"),
        ],
    )
    def test_end_of_stream_in_the_middle(self, data: bytes, expected: str) -> None:
        for pieces in [data], split(data):
            protocol = make(CLIENT)
            feed(protocol, pieces)
            protocol.receive_eof()
            assert isinstance(protocol.parser_exc, EOFError)
            assert str(protocol.parser_exc) == expected
            assert protocol.close_exc.__cause__ is protocol.parser_exc

    def test_error_of_a_connection_that_is_not_closed(self) -> None:
        protocol = make(CLIENT)
        assert (protocol.close_code, protocol.close_reason) == (None, None)
        with pytest.raises(InvalidState, match="isn't closed yet; it is open"):
            _ = protocol.close_exc
        assert isinstance(protocol.closing_exc(), ConnectionClosedError)


def parts(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[a:b] for a, b in zip(edges, edges[1:], strict=False)]


def messages(events: list[Any]) -> list[str | bytes]:
    """Put messages together from frames."""
    found: list[str | bytes] = []
    current: list[Frame] = []
    for item in events:
        if item.opcode > 7:
            continue
        current.append(item)
        if item.fin:
            data = b"".join(bytes(part.data) for part in current)
            found.append(data.decode() if current[0].opcode == 1 else data)
            current = []
    return found


MESSAGES = st.lists(st.text(max_size=200) | st.binary(max_size=200), max_size=5)
CUTS = st.lists(st.integers(0, 1500), max_size=20)


class TestProperties:
    @given(MESSAGES, MESSAGES, CUTS, st.integers(0, 60), st.booleans())
    def test_two_protocols_joined_by_a_wire(
        self,
        theirs: list[str | bytes],
        ours: list[str | bytes],
        cuts: list[int],
        size: int,
        compress: bool,
    ) -> None:
        client, server = make(CLIENT), make(SERVER)
        if compress:
            client.use_extensions([PerMessageDeflate(False, False, 15, 15)])
            server.use_extensions([PerMessageDeflate(False, False, 15, 15)])
        received = []
        for sender, receiver, items in [
            (client, server, theirs),
            (server, client, ours),
        ]:
            for item in items:
                send(sender, item, size)
            wire = b"".join(sender.data_to_send())
            received.append(messages(feed(receiver, parts(wire, cuts))))
            assert receiver.state is OPEN
        assert received == [theirs, ours]
        # Pings were answered meanwhile; the closing handshake ends it all.
        client.send_close(1000)
        feed(server, parts(b"".join(client.data_to_send()), cuts))
        back = b"".join(server.data_to_send())
        feed(client, parts(back, cuts))
        client.receive_eof()
        server.receive_eof()
        for protocol in client, server:
            assert type(protocol.close_exc) is ConnectionClosedOK
            assert protocol.close_exc.rcvd == Close(1000, "")

    @given(
        st.lists(st.binary(max_size=300), max_size=5),
        st.sampled_from([CLIENT, SERVER]),
        st.booleans(),
    )
    def test_random_bytes(self, pieces: list[bytes], side: Side, encode: bool) -> None:
        protocol = make(side, max_size=500)
        if encode:
            protocol.use_extensions([PerMessageDeflate(False, False, 15, 15)])
        for piece in pieces:
            protocol.receive_data(piece)
            assert protocol.reader.unread <= 138 + 500 + 64
        protocol.receive_eof()
        assert protocol.state is CLOSED
        assert protocol.reader.unread == 0
        assert not isinstance(protocol.parser_exc, (TypeError, IndexError))

    @given(
        st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=130)), max_size=6),
        st.sampled_from([CLIENT, SERVER]),
        CUTS,
    )
    def test_random_frames(
        self, frames: list[tuple[int, bytes]], side: Side, cuts: list[int]
    ) -> None:
        data = many(*frames)(side)
        whole, pieces = make(side), make(side)
        events = feed(whole, [data])
        assert feed(pieces, parts(data, cuts)) == events
        assert pieces.state is whole.state
        for protocol in whole, pieces:
            assert len(protocol.writes) == len(whole.writes)
            assert type(protocol.parser_exc) is type(whole.parser_exc)


def send(protocol: Protocol, message: str | bytes, size: int) -> None:
    """Send a message, in fragments with pings between if there's a size."""
    data = message.encode() if isinstance(message, str) else message
    first = protocol.send_text if isinstance(message, str) else protocol.send_binary
    if not size or not data:
        first(data)
        return
    pieces = split(data, size)
    first(pieces[0], fin=len(pieces) == 1)
    for i, piece in enumerate(pieces[1:], 2):
        protocol.send_ping(b"%d" % i)
        protocol.send_continuation(piece, fin=i == len(pieces))
