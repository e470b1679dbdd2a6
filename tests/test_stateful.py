"""Two endpoints and a wire that splits, merges and delays: whatever happens between
them, messages arrive whole, in order and once, and both know how it ended.
"""

from __future__ import annotations

import functools
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from byhand import WIRE_CODES
from websockets.codes import Opcode, Side, State
from websockets.exceptions import ConnectionClosedOK, InvalidState
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame
from websockets.protocol import SEND_EOF, Protocol
from websockets.session import Clock, Inbox, Session
from websockets.session.inbox import Fragments

Message = str | bytes

#: Without compression, or who forgets its history: the server, the client.
Forget = tuple[bool, bool] | None

SMALL = settings(
    max_examples=25,
    stateful_step_count=40,
    deadline=None,
    # Making a failure smaller takes longer than a test may take.
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Endpoint:
    """A protocol, what it sends and receives, and its end of the wire."""

    def __init__(self, side: Side, deflate: PerMessageDeflate | None) -> None:
        self.protocol = Protocol(side)
        if deflate is not None:
            self.protocol.use_extensions([deflate])
        # What was sent: whole messages; pings, and pongs that answer none.
        self.sent: list[Message] = []
        self.pings: list[bytes] = []
        self.pongs: list[bytes] = []
        self.closed_with: tuple[int, str] | None = None
        # The message under way, as far as it was sent.
        self.parts: list[Message] | None = None
        # What was received.
        self.received: list[Message] = []
        self.received_pongs: list[bytes] = []
        self.received_closes = 0
        self.states = [State.OPEN]
        # What is on its way from here.
        self.wire = bytearray()
        self.wire_ended = False

    @property
    def is_open(self) -> bool:
        return self.protocol.state is State.OPEN

    # Sending.

    def send(self, message: Message) -> None:
        if isinstance(message, str):
            self.protocol.send_text(message.encode())
        else:
            self.protocol.send_binary(message)
        self.sent.append(message)

    def send_part(self, part: Message, last: bool) -> None:
        """Send a fragment; the first one says what kind of a message it is."""
        # What was given as bytes may begin or end inside of a character.
        data = part.encode() if isinstance(part, str) else part
        if self.parts is not None:
            self.protocol.send_continuation(data, last)
        elif isinstance(part, str):
            self.protocol.send_text(data, last)
        else:
            self.protocol.send_binary(data, last)
        self.note_part(part, last)

    def note_part(self, part: Message, last: bool) -> None:
        parts: list[Any] = [*(self.parts or []), part]
        self.parts = None if last else parts
        if last:
            self.sent.append(type(part)().join(parts))

    # The wire.

    def flush(self) -> None:
        """Put what must be written onto the wire."""
        for data in self.protocol.data_to_send():
            assert not self.wire_ended
            if data == SEND_EOF:
                self.wire_ended = True
            self.wire += data

    def receive(self, data: bytes) -> None:
        self.protocol.receive_data(data)
        self.note_events()

    def receive_end(self) -> None:
        self.protocol.receive_eof()
        self.note_events()

    def note_events(self) -> None:
        for frame in self.protocol.events_received():
            assert isinstance(frame, Frame)
            if frame.opcode is Opcode.PONG:
                self.received_pongs.append(bytes(frame.data))
            elif frame.opcode is Opcode.CLOSE:
                self.received_closes += 1
            elif frame.opcode < 8:
                self._note_data(frame)

    def _note_data(self, frame: Any) -> None:
        if frame.opcode is not Opcode.CONT:
            self._content, self._kind = b"", frame.opcode
        self._content += frame.data
        if frame.fin:
            text = self._kind is Opcode.TEXT
            self.received.append(self._content.decode() if text else self._content)

    # What differs with sessions.

    wants_data = True
    lost_some = False

    def take(self) -> None:
        """Take messages that wait."""


class SessionEndpoint(Endpoint):
    """The same with a session, which reads from a buffer and lets messages wait."""

    def __init__(self, side: Side, deflate: PerMessageDeflate | None) -> None:
        super().__init__(side, deflate)
        self.protocol.emits_frames = False
        inbox = Inbox(3, max_bytes=700, reserve=300)
        self.session = Session(self.protocol, inbox, Clock())

    def send_part(self, part: Message, last: bool) -> None:
        outbox = self.session.outbox
        if not self.is_open:
            raise InvalidState("an engine would check this")
        if self.parts is None:
            outbox.begin()
        outbox.write(part, last)
        self.note_part(part, last)

    def receive(self, data: bytes) -> None:
        buffer = bytearray(data + b"\xaa" * 8)
        self.session.receive(buffer, len(data))
        # As if the next connection had read into it.
        buffer[:] = b"\x55" * len(buffer)
        self._note_rest()

    def receive_end(self) -> None:
        self.session.receive_eof()
        self._note_rest()

    def _note_rest(self) -> None:
        self.received_pongs += self.session.pongs
        self.session.pongs.clear()
        if self.protocol.close_rcvd is not None:
            self.received_closes = 1

    @property
    def wants_data(self) -> bool:  # type: ignore[override]
        inbox = self.session.inbox
        # Who waits for the rest of a message, however large, gets it.
        full = inbox.is_full() and len(inbox.messages) > 0
        return not (self.session.held or full) or not self.is_open

    @property
    def lost_some(self) -> bool:  # type: ignore[override]
        # Who has closed and doesn't receive doesn't get everything.
        return self.session.dropping

    def take(self) -> None:
        inbox = self.session.inbox
        while True:
            for _ in range(len(inbox.messages)):
                message = inbox.popleft()
                whole = message.join() if isinstance(message, Fragments) else message
                self.received.append(whole)
            if not self.session.held:
                return
            self.session.receive_held()
            self._note_rest()


NAMES = st.sampled_from(["client", "server"])
TEXTS = st.text(max_size=40) | st.sampled_from(["spam " * 60, "é€😀" * 30])
PAYLOADS = st.binary(max_size=40) | st.sampled_from([b"spam " * 60, bytes(500)])
CONTROLS = st.binary(max_size=20)
BITS = st.sampled_from([8, 9, 12, 15])


class Conversation(RuleBasedStateMachine):
    """What two endpoints do."""

    def __init__(self, endpoint: type[Endpoint], forget: Forget) -> None:
        super().__init__()
        self.endpoint = endpoint
        self.forget = forget
        self.cut = False

    @initialize(bits=BITS, more=BITS)
    def meet(self, bits: int, more: int) -> None:
        client = server = None
        if self.forget is not None:
            one, two = self.forget
            client = PerMessageDeflate(one, two, bits, more)
            server = PerMessageDeflate(two, one, more, bits)
        self.ends = {
            "client": self.endpoint(Side.CLIENT, client),
            "server": self.endpoint(Side.SERVER, server),
        }

    def peer(self, name: str) -> Endpoint:
        return self.ends["server" if name == "client" else "client"]

    # Sending.

    @rule(name=NAMES, message=TEXTS | PAYLOADS)
    def send(self, name: str, message: Message) -> None:
        end = self.ends[name]
        if end.parts is not None and end.is_open:
            return
        if not end.is_open:
            with pytest.raises(InvalidState):
                end.send(message)
            return
        end.send(message)
        end.flush()

    @rule(name=NAMES, text=TEXTS, payload=PAYLOADS, last=st.booleans())
    def send_part(self, name: str, text: str, payload: bytes, last: bool) -> None:
        end = self.ends[name]
        is_text = len(text) > len(payload)
        if end.parts is not None:
            is_text = isinstance(end.parts[0], str)
        part = text if is_text else payload
        if not end.is_open:
            with pytest.raises(InvalidState):
                end.send_part(part, last)
            return
        end.send_part(part, last)
        end.flush()

    @rule(name=NAMES, data=CONTROLS)
    def ping(self, name: str, data: bytes) -> None:
        end = self.ends[name]
        if end.is_open:
            end.protocol.send_ping(data)
            end.pings.append(data)
            end.flush()

    @rule(name=NAMES, data=CONTROLS)
    def pong(self, name: str, data: bytes) -> None:
        end = self.ends[name]
        if end.is_open:
            end.protocol.send_pong(data)
            end.pongs.append(data)
            end.flush()

    @rule(name=NAMES, code=st.none() | st.sampled_from(WIRE_CODES), reason=st.text())
    def close(self, name: str, code: int | None, reason: str) -> None:
        end = self.ends[name]
        reason = reason.encode()[:123].decode(errors="ignore")
        if end.is_open and end.parts is None:
            end.protocol.send_close(code, reason if code else "")
            end.closed_with = (code or 1005, reason if code else "")
            end.flush()

    # The wire.

    @rule(name=NAMES, size=st.integers(1, 8) | st.sampled_from([50, 400, 10_000]))
    def deliver(self, name: str, size: int) -> None:
        """Deliver some of what is on its way to an endpoint."""
        end, peer = self.ends[name], self.peer(name)
        if not end.wants_data:
            return
        data = bytes(peer.wire[:size])
        if data:
            del peer.wire[:size]
            end.receive(data)
        elif peer.wire_ended:
            end.receive_end()
        end.flush()

    @rule(name=NAMES, count=st.integers(1, 200))
    def deliver_bytes(self, name: str, count: int) -> None:
        """Deliver single bytes."""
        for _ in range(count):
            self.deliver(name=name, size=1)

    @rule(name=NAMES)
    def take(self, name: str) -> None:
        self.ends[name].take()
        self.ends[name].flush()

    @rule(size=st.integers(0, 300), luck=st.integers(0, 9))
    def lose(self, size: int, luck: int) -> None:
        """Lose the connection, and with it what is on its way."""
        if luck < 9 or self.cut:
            return
        self.cut = True
        for end in self.ends.values():
            del end.wire[size:]
            end.wire_ended = True
            # What is written from now on goes nowhere.
            end.flush = end.protocol.data_to_send  # type: ignore[assignment]

    # What must always hold.

    @invariant()
    def messages_arrive_whole_and_in_order_and_once(self) -> None:
        for name, end in self.ends.items():
            sent = self.peer(name).sent
            assert end.received == sent[: len(end.received)]

    @invariant()
    def pongs_answer_pings(self) -> None:
        for name, end in self.ends.items():
            pongs = [*end.pings, *self.peer(name).pongs]
            for data in end.received_pongs:
                assert data in pongs
                pongs.remove(data)

    @invariant()
    def states_are_legal(self) -> None:
        for end in self.ends.values():
            state = end.protocol.state
            assert state >= end.states[-1]
            end.states.append(state)
            assert end.protocol.close_expected() is (state is not State.OPEN)
            assert end.received_closes <= 1

    @invariant()
    def nothing_is_wrong(self) -> None:
        for end in self.ends.values():
            exc = end.protocol.parser_exc
            # Who is closed by the peer in the middle of a message can't finish it.
            texts = ("close frame inside", "stream ends" if self.cut else "close frame")
            assert exc is None or str(exc).startswith(texts), exc

    # The end.

    def teardown(self) -> None:
        if not hasattr(self, "ends"):
            return
        client, server = self.ends.values()
        if client.is_open and client.parts is not None:
            part = client.parts[0]
            client.send_part(type(part)(), True)
            client.flush()
        if client.is_open:
            client.protocol.send_close(1000, "that's all")
            client.closed_with = (1000, "that's all")
            client.flush()
        while any(end.protocol.state is not State.CLOSED for end in (client, server)):
            before = [len(end.wire) for end in (client, server)]
            states = [end.protocol.state for end in (client, server)]
            for name in self.ends:
                self.take(name=name)
                self.deliver(name=name, size=37)
            now = [len(end.wire) for end in (client, server)]
            assert before != now or states != [
                end.protocol.state for end in (client, server)
            ]
        for name, end in self.ends.items():
            end.take()
            self.check_end(end, self.peer(name))
        self.messages_arrive_whole_and_in_order_and_once()
        self.pongs_answer_pings()
        self.nothing_is_wrong()

    def check_end(self, end: Endpoint, peer: Endpoint) -> None:
        protocol = end.protocol
        if self.cut:
            return
        if not end.lost_some:
            assert end.received == peer.sent
        # Each got what the other had to say, or its own words back.
        said = peer.closed_with or end.closed_with
        assert said is not None
        assert (protocol.close_code, protocol.close_reason) == said
        well = {1000, 1001, 1005}
        codes = {said[0], (end.closed_with or said)[0]}
        assert isinstance(protocol.close_exc, ConnectionClosedOK) is (codes <= well)


FORGETS: list[Forget] = [
    None,
    (False, False),
    (True, False),
    (False, True),
    (True, True),
]


@pytest.mark.parametrize("endpoint", [Endpoint, SessionEndpoint])
@pytest.mark.parametrize("forget", FORGETS)
def test_conversation(endpoint: type[Endpoint], forget: Forget) -> None:
    make: Any = functools.partial(Conversation, endpoint, forget)
    run_state_machine_as_test(make, settings=SMALL)
