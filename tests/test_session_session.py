"""The protocol with a connection's habits (websockets.session.session)."""

from __future__ import annotations

import logging
import zlib
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
    both_sides,
    close_payload,
    frame,
    sent,
    split,
)
from websockets.exceptions import ConnectionClosedError, ProtocolError
from websockets.extensions.base import Extension
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Close, Frame
from websockets.protocol import Protocol, Side
from websockets.session import Clock, Inbox, Session
from websockets.session.inbox import Fragments
from websockets.typing import ExtensionName


def make(side: Side, inbox: Inbox | None = None, **kwargs: Any) -> Session:
    protocol = Protocol(side, **kwargs)
    protocol.emits_frames = False
    return Session(protocol, inbox or Inbox(), Clock())


def deflated(side: Side, inbox: Inbox | None = None, **kwargs: Any) -> Session:
    session = make(side, inbox, **kwargs)
    session.protocol.use_extensions([PerMessageDeflate(False, False, 15, 15)])
    return session


def compress(data: bytes) -> bytes:
    encoder = zlib.compressobj(wbits=-15)
    return (encoder.compress(data) + encoder.flush(zlib.Z_SYNC_FLUSH))[:-4]


def feed(session: Session, pieces: list[bytes]) -> Session:
    """Receive as an engine does, from a buffer that is overwritten each time."""
    for piece in pieces:
        buffer = bytearray(piece + b"garbage")
        session.receive(buffer, len(piece))
        buffer[:] = b"\xff" * len(buffer)
    return session


def taken(session: Session) -> list[str | bytes]:
    inbox = session.inbox
    messages = [inbox.popleft() for _ in range(len(inbox.messages))]
    return [m.join() if isinstance(m, Fragments) else m for m in messages]


class TestMessages:
    @both_sides
    def test_messages(self, side: Side) -> None:
        data = (
            frame(side, 0x81, "é".encode())
            + frame(side, 0x82, b"\xff" * 200)
            + frame(side, 0x01, b"a\xc3")
            + frame(side, 0x89, b"ping")
            + frame(side, 0x00, b"\xa9")
            + frame(side, 0x8A, b"pong")
            + frame(side, 0x8A, b"that nobody asked for")
            + frame(side, 0x80)
            + frame(side, 0x81)
        )
        for pieces in [data], split(data), split(data, 7), [data + b"\x82"]:
            session = make(side)
            session.pings.add(b"pong", None, 0)
            feed(session, pieces)
            assert taken(session) == ["é", b"\xff" * 200, "aé", ""]
            assert session.pongs == [b"pong"]
            assert sent(session.protocol) == [(0x8A, b"ping")]
            # No frame objects are made on the way.
            assert session.protocol.events_received() == []

    def test_any_kind_of_bytes(self) -> None:
        data = frame(CLIENT, 0x82, b"spam")
        for chunk in data, bytearray(data), memoryview(data):
            session = make(CLIENT)
            session.receive(chunk)
            assert taken(session) == [b"spam"]

    def test_compressed(self) -> None:
        data = frame(CLIENT, 0xC1, compress(b"spam" * 50)) + frame(CLIENT, 0x82, b"x")
        payload = compress(b"eggs" * 50)
        data += frame(CLIENT, 0x42, payload[:5]) + frame(CLIENT, 0x80, payload[5:])
        for pieces in [data], split(data):
            session = make(CLIENT)
            session.protocol.use_extensions([PerMessageDeflate(True, True, 15, 15)])
            feed(session, pieces)
            assert taken(session) == ["spam" * 50, b"x", b"eggs" * 50]

    def test_other_extension(self) -> None:
        class Upper(Extension):
            name = ExtensionName("x-upper")

            def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
                return Frame(frame.opcode, bytes(frame.data).upper(), frame.fin)

        data = frame(CLIENT, 0x81, b"spam") + frame(CLIENT, 0x02, b"e")
        data += frame(CLIENT, 0x80, b"ggs")
        for pieces in [data], split(data):
            session = make(CLIENT)
            session.protocol.use_extensions([Upper()])
            feed(session, pieces)
            assert taken(session) == ["SPAM", b"EGGS"]

    def test_bytes_are_life(self) -> None:
        session = make(CLIENT)
        assert not session.clock.heard
        session.receive(b"\x82")
        assert session.clock.heard

    def test_bytes_after_close_are_life_too(self) -> None:
        session = feed(make(CLIENT), [frame(CLIENT, 0x88)])
        session.clock.heard = False
        feed(session, [frame(CLIENT, 0x81, b"spam")])
        assert session.clock.heard
        assert taken(session) == []

    def test_parts(self) -> None:
        session = make(SERVER)
        assert session.outbox.finish() is False
        session.outbox.begin()
        session.outbox.write("a", last=True)
        assert sent(session.protocol) == [(0x81, b"a")]
        assert len(session.pings) == 0


class TestClosing:
    @both_sides
    def test_close(self, side: Side) -> None:
        data = frame(side, 0x81, b"spam") + frame(side, 0x88, close_payload(1000))
        for pieces in [data + b"\xff\xff"], split(data + b"\xff\xff"):
            session = feed(make(side), pieces)
            assert taken(session) == ["spam"]
            assert session.protocol.state is CLOSING
            assert sent(session.protocol)[0] == (0x88, close_payload(1000))
            session.receive_eof()
            assert session.protocol.close_code == 1000

    def test_messages_before_an_error_are_delivered(self) -> None:
        data = frame(CLIENT, 0x81, b"spam") + frame(CLIENT, 0x01, b"eg")
        data += frame(CLIENT, 0x83)
        for pieces in [data], split(data):
            session = feed(make(CLIENT), pieces)
            # They may be answered first.
            assert session.held
            assert isinstance(session.fault, ProtocolError)
            assert session.protocol.close_sent is None
            assert taken(session) == ["spam"]
            assert session.inbox.partial is None
            session.receive_held()
            assert not session.held
            assert session.protocol.close_sent == Close(1002, "invalid opcode")
            assert isinstance(session.protocol.parser_exc, ProtocolError)

    def test_another_end_before_an_error(self) -> None:
        data = frame(CLIENT, 0x81, b"spam") + frame(CLIENT, 0x83)
        session = feed(make(CLIENT), [data])
        session.protocol.fail(1011)
        session.receive_eof()
        assert session.fault is session.protocol.parser_exc is None
        assert session.protocol.close_sent == Close(1011, "")

    @pytest.mark.parametrize("closing", [False, True])
    def test_the_end_behind_an_error(self, closing: bool) -> None:
        """Or our close frame: nothing is read any more, and the error counts."""
        data = frame(CLIENT, 0x81, b"spam") + frame(CLIENT, 0x83)
        session = feed(make(CLIENT), [data])
        if closing:
            session.protocol.send_close(1000)
            feed(session, [frame(CLIENT, 0x81, b"late")])
            assert session.protocol.state is CLOSING
        session.receive_eof()
        assert taken(session) == ["spam"]
        assert isinstance(session.protocol.parser_exc, ProtocolError)
        assert session.fault is None
        assert not session.held
        assert session.protocol.state is CLOSED

    @pytest.mark.parametrize(
        "data, code",
        [
            (frame(CLIENT, 0x81, b"\xff"), 1007),
            (frame(CLIENT, 0x01, b"\xc3") + frame(CLIENT, 0x80), 1007),
            (frame(CLIENT, 0x82, b"x" * 101), 1009),
            (frame(CLIENT, 0x88, b"x"), 1002),
        ],
    )
    def test_errors(self, data: bytes, code: int) -> None:
        for pieces in [data], split(data):
            session = feed(make(CLIENT, max_size=100), pieces)
            assert session.protocol.close_sent is not None
            assert session.protocol.close_sent.code == code
            assert taken(session) == []

    @both_sides
    def test_bomb(self, side: Side) -> None:
        data = frame(side, 0xC2, compress(bytes(2**24)))
        for pieces in [data], split(data, 1000):
            session = feed(deflated(side), pieces)
            assert taken(session) == []
            assert session.protocol.close_sent is not None
            assert session.protocol.close_sent.code == 1009

    def test_end_of_stream(self) -> None:
        session = feed(make(CLIENT), [frame(CLIENT, 0x81, b"a"), b"\x01\x01b"])
        session.receive_eof()
        assert session.inbox.partial is None
        assert taken(session) == ["a"]
        assert session.protocol.state is CLOSED
        assert type(session.protocol.close_exc) is ConnectionClosedError
        assert isinstance(session.protocol.parser_exc, EOFError)
        assert sent(session.protocol) == [EOF]


class TestEarly:
    """What comes together with the handshake is read later."""

    def test_the_stream_ends_at_once(self) -> None:
        session = make(CLIENT)
        session.protocol.open(frame(CLIENT, 0x81, b"a") + frame(CLIENT, 0x88))
        session.receive_eof()
        assert taken(session) == ["a"]
        assert session.protocol.close_code == 1005

    def test_it_inflates_to_too_much(self) -> None:
        session = make(CLIENT, Inbox(max_bytes=1000))
        session.protocol.use_extensions([PerMessageDeflate(True, True, 15, 15)])
        session.protocol.open(frame(CLIENT, 0xC1, compress(b"a" * 2000)) * 2)
        session.receive_eof()
        assert session.held
        assert len(taken(session)) == 1
        session.receive_held()
        assert len(taken(session)) == 1


class TestTooLate:
    """While we are closing, nobody waits for room in the inbox."""

    def closing(self) -> Session:
        session = make(CLIENT, Inbox(2, reserve=0))
        session.protocol.send_close()
        return session

    def test_messages_that_fit_are_kept(self) -> None:
        session = feed(self.closing(), [frame(CLIENT, 0x81, b"a") * 3])
        assert taken(session) == ["a"] * 3
        feed(session, [frame(CLIENT, 0x81, b"b")])
        assert taken(session) == ["b"]

    def test_others_are_dropped(self) -> None:
        session = feed(self.closing(), [frame(CLIENT, 0x81, b"a") * 1000])
        assert len(session.inbox.messages) == 3
        # No message comes that has a gap before it.
        assert taken(session) == ["a"] * 3
        feed(session, [frame(CLIENT, 0x81, b"b")])
        assert taken(session) == []

    def test_part_of_a_message_is_no_message(self) -> None:
        session = feed(self.closing(), [frame(CLIENT, 0x81, b"a") * 3])
        feed(session, [frame(CLIENT, 0x01, b"b")])
        assert taken(session) == ["a"] * 3
        feed(session, [frame(CLIENT, 0x80, b"c")])
        assert taken(session) == []
        assert session.inbox.partial is None

    def test_close_frame_behind_them_is_read(self) -> None:
        data = frame(CLIENT, 0x82, b"a" * 100) * 1000 + frame(CLIENT, 0x88)
        session = feed(self.closing(), split(data, 5000))
        assert session.protocol.close_rcvd == Close(1005, "")

    def test_open_connection_drops_nothing(self) -> None:
        session = make(CLIENT, Inbox(2, reserve=0))
        feed(session, [frame(CLIENT, 0x81, b"a") * 100])
        assert session.inbox.is_full()
        assert taken(session) == ["a"] * 100


class TestHeld:
    """What was received is little, what it inflates to isn't."""

    def data(self, number: int, size: int = 50_000) -> bytes:
        frames = [frame(CLIENT, 0xC2, compress(b"x" * size))] * number
        return b"".join(frames) + frame(CLIENT, 0x89, b"ping")

    def make(self) -> Session:
        session = make(CLIENT, Inbox(max_bytes=120_000))
        session.protocol.use_extensions([PerMessageDeflate(True, True, 15, 15)])
        return session

    def test_frames_are_left_unread(self) -> None:
        session = feed(self.make(), [self.data(7)])
        assert session.held
        assert len(session.inbox.messages) == 3
        assert session.inbox.is_full()
        assert sent(session.protocol) == []
        # More may have been on its way already.
        feed(session, split(frame(CLIENT, 0x81, b"late")))
        assert len(taken(session)) == 3
        session.receive_held()
        assert session.held
        assert len(taken(session)) == 3
        session.receive_held()
        assert not session.held
        assert sent(session.protocol) == [(0x8A, b"ping")]
        assert taken(session) == [b"x" * 50_000, "late"]
        session.receive_held()
        assert taken(session) == []

    def test_end_of_stream(self) -> None:
        session = feed(self.make(), [self.data(5)])
        assert session.held
        session.receive_eof()
        assert session.protocol.state is CLOSED
        assert len(taken(session)) == 3
        session.receive_held()
        assert len(taken(session)) == 2
        assert not session.held

    def test_messages_before_the_end_are_not_too_late(self) -> None:
        session = make(CLIENT, Inbox(2, max_bytes=120_000, reserve=0))
        session.protocol.use_extensions([PerMessageDeflate(True, True, 15, 15)])
        feed(session, [self.data(3) + frame(CLIENT, 0x81, b"a") * 10])
        assert session.held
        session.receive_eof()
        assert len(taken(session)) == 3
        session.receive_held()
        assert taken(session) == ["a"] * 10

    def test_close_frame_behind(self) -> None:
        data = self.data(3) + frame(CLIENT, 0x88, close_payload(1001))
        session = feed(self.make(), [data])
        session.receive_eof()
        assert session.protocol.close_code == 1006
        taken(session)
        session.receive_held()
        assert session.protocol.close_code == 1001

    def test_nothing_is_held_back_when_closing(self) -> None:
        data = self.data(7) + frame(CLIENT, 0x88, close_payload(1001))
        session = feed(self.make(), [data])
        assert session.held
        session.protocol.send_close()
        session.receive_held()
        assert not session.held
        # What is too much is dropped; the end is seen all the same.
        assert len(taken(session)) == 3
        assert session.protocol.close_rcvd == Close(1001, "")

    def test_what_comes_while_closing_does_not_pile_up(self) -> None:
        session = feed(self.make(), [self.data(7)])
        session.protocol.send_close()
        feed(session, [frame(CLIENT, 0x82, b"a" * 1000)] * 100)
        assert session.protocol.reader.unread == 0
        feed(session, [frame(CLIENT, 0x88)])
        assert session.protocol.close_rcvd == Close(1005, "")

    def test_what_nobody_gets_is_not_inflated(self) -> None:
        session = feed(self.make(), [self.data(7)])
        session.protocol.send_close()
        session.receive_held()
        assert session.dropping
        feed(session, [frame(CLIENT, 0xC2, b"not deflated")])
        assert session.protocol.parser_exc is None

    @pytest.mark.parametrize("payload", [b"\0", b"\3\0" * 50 + b"\0"])
    def test_messages_without_content_cost_time(self, payload: bytes) -> None:
        session = make(CLIENT, Inbox(None))
        session.protocol.use_extensions([PerMessageDeflate(False, True, 15, 15)])
        feed(session, [frame(CLIENT, 0xC2, payload) * 5000])
        assert session.held
        # Each block that is marked as the final one takes an inflater.
        inflaters = len(taken(session)) * (len(payload) // 2 or 1)
        assert 120 < inflaters < 160
        session.receive_held()
        assert session.held

    def test_too_much_while_closing_is_dropped(self) -> None:
        session = make(CLIENT, Inbox(None, max_bytes=1_000_000))
        session.protocol.use_extensions([PerMessageDeflate(True, True, 15, 15)])
        session.protocol.send_close()
        payload = b"\3\0" * 75 + b"\0"
        feed(session, [frame(CLIENT, 0xC2, payload) * 10])
        assert session.dropping
        assert not session.held
        assert len(taken(session)) == 2

    def test_little_is_not_held(self) -> None:
        session = feed(self.make(), [self.data(2)])
        assert not session.held
        assert sent(session.protocol) == [(0x8A, b"ping")]


class TestLogging:
    def test_frames(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG, "websockets.protocol")
        session = deflated(CLIENT)
        feed(
            session,
            [
                frame(CLIENT, 0xC1, compress(b"spam")),
                frame(CLIENT, 0x02, b"\xff"),
                frame(CLIENT, 0x80, b"\xff"),
                frame(CLIENT, 0x8A, b"x"),
                frame(CLIENT, 0x88),
            ],
        )
        assert [record.getMessage() for record in caplog.records] == [
            "< TEXT 'spam' [4 bytes]",
            "< BINARY ff [binary, 1 byte, continued]",
            "< CONT ff [fragment, 1 byte]",
            "< PONG 'x' [1 byte]",
            "< CLOSE [0 bytes]",
            "> CLOSE [0 bytes]",
            "= connection is CLOSING",
        ]


MESSAGES = st.lists(st.text(max_size=150) | st.binary(max_size=150), max_size=6)


class TestProperties:
    @given(MESSAGES, st.lists(st.integers(0, 1000), max_size=10), st.integers(0, 50))
    def test_two_sessions_joined_by_a_wire(
        self, messages: list[str | bytes], cuts: list[int], size: int
    ) -> None:
        for first, second in [(CLIENT, SERVER), (SERVER, CLIENT)]:
            left, right = deflated(first), deflated(second)
            for message in messages:
                left.outbox.begin()
                step = size or len(message) or 1
                for start in range(0, len(message), step):
                    left.outbox.write(message[start : start + step], last=False)
                    left.protocol.send_ping(b"x")
                if not left.outbox.finish():
                    left.outbox.write(message, last=True)
            wire = b"".join(left.protocol.data_to_send())
            edges = [0, *sorted(min(cut, len(wire)) for cut in cuts), len(wire)]
            for start, end in zip(edges, edges[1:], strict=False):
                feed(right, [wire[start:end]])
            assert taken(right) == messages
            assert right.protocol.state is OPEN

    @given(
        st.lists(st.binary(max_size=300), max_size=6),
        st.sampled_from([CLIENT, SERVER]),
        st.booleans(),
    )
    def test_random_bytes(self, pieces: list[bytes], side: Side, encode: bool) -> None:
        session = (deflated if encode else make)(side, max_size=500)
        feed(session, pieces)
        assert session.protocol.reader.unread <= 138 + 500 + 64
        session.receive_eof()
        assert session.protocol.state is CLOSED


# Very many frames.


@both_sides
@pytest.mark.parametrize("first", [0x82, 0x8A], ids=["messages", "pongs"])
def test_very_many_frames_are_read_in_turns(side: Side, first: int) -> None:
    session = make(side)
    data = frame(side, first) * 2500 + frame(side, 0x81, b"last")
    feed(session, [data])
    counts = [session.messages_received + session.controls_received]
    while session.held:
        # What comes meanwhile has to wait.
        session.receive(b"")
        session.receive_held()
        counts.append(session.messages_received + session.controls_received)
    assert counts == [512, 1024, 1536, 2048, 2501]
    assert session.inbox.messages[-1] == "last"


@both_sides
def test_as_many_frames_as_are_read_at_once(side: Side) -> None:
    session = make(side)
    feed(session, [frame(side, 0x82) * 512])
    session.receive_held()
    assert not session.held
    assert len(session.inbox.messages) == 512


@both_sides
def test_very_many_frames_before_the_end(side: Side) -> None:
    session = make(side)
    session.protocol.send_close(1000)
    feed(session, [frame(side, 0x8A) * 2500 + frame(side, 0x88, close_payload(1000))])
    assert not session.held
    assert session.protocol.close_rcvd == Close(1000, "")


@both_sides
def test_very_many_frames_and_no_more(side: Side) -> None:
    session = make(side)
    feed(session, [frame(side, 0x82) * 700])
    session.receive_eof()
    assert session.held
    session.receive_held()
    assert len(session.inbox.messages) == 700
    assert session.protocol.state is CLOSED
