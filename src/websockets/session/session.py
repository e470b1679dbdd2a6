"""Floor 3, habits: joins the protocol with a connection's habits.

An engine feeds a :class:`Session` what it reads and then pumps: it writes what
:attr:`Session.protocol` has to write, wakes who waits for a message of
:attr:`Session.inbox` or for one of the :attr:`Session.pongs`, and arms its timer
for :meth:`Clock.deadline`.

Frames are read in one flat loop here, and nobody is called or woken from inside
it, so that whoever is woken afterwards may do with the connection what he wants.
"""

from __future__ import annotations

from typing import Any

from ..codes import State
from ..frames import Frame, Opcode
from ..protocol import Protocol
from ..typing import BytesLike
from .clock import Clock
from .inbox import Inbox
from .meter import Meter
from .outbox import Outbox
from .pings import PingLedger

__all__ = ["Session"]

OPEN, CLOSING = State.OPEN, State.CLOSING

# What an inflater costs, in bytes that could be inflated in that time.
_INFLATER = 8192

# Frames that are read before other connections have their turn.
_FRAMES = 512


class Session:
    """
    A connection without I/O.

    Args:
        protocol: the rules.
        inbox: where messages wait.
        clock: the deadlines.

    Attributes:
        protocol: the rules.
        inbox: where messages wait.
        outbox: what cuts messages into frames.
        clock: the deadlines.
        pings: the pings in flight, with who waits for their pongs.
        pongs: payloads of pongs that answer pings and were not looked at yet.
        held: whether frames were left unread since inflating them all would take
            too much memory or time; see :meth:`receive_held`.
        fault: what is wrong with what was received, while messages that came before
            it wait; see :meth:`receive_held`.
        dropping: whether messages are dropped since they came too late.
        meter: what meters the rate of what is received; None if it isn't limited.
        messages_received: how many whole messages were received.
        fragments_received: how many frames were received that didn't end one.
        controls_received: how many control frames were received.
        bytes_received: how many bytes were received, those of the handshake
            included; an engine adds what it reads into the reader's own room.

    """

    __slots__ = (
        "_outbox",
        "bytes_received",
        "clock",
        "controls_received",
        "dropping",
        "fault",
        "fragments_received",
        "held",
        "inbox",
        "messages_received",
        "meter",
        "pings",
        "pongs",
        "protocol",
    )

    def __init__(self, protocol: Protocol, inbox: Inbox, clock: Clock) -> None:
        self.protocol = protocol
        self.inbox = inbox
        self._outbox: Outbox | None = None
        self.clock = clock
        self.pings: PingLedger[Any] = PingLedger()
        self.pongs: list[bytes] = []
        self.held = False
        self.fault: Exception | None = None
        self.dropping = False
        self.meter: Meter | None = None
        self.messages_received = 0
        self.fragments_received = 0
        self.controls_received = 0
        self.bytes_received = 0

    @property
    def outbox(self) -> Outbox:
        """What cuts messages into frames; few connections need it."""
        if self._outbox is None:
            self._outbox = Outbox(self.protocol)
        return self._outbox

    def receive(
        self,
        data: BytesLike,
        size: int = -1,
    ) -> None:
        """
        Take bytes of an open connection from the network.

        Args:
            data: the bytes.
            size: how many bytes at the start of ``data`` count: ``data`` is then
                a bytearray, and may be changed. -1 to have all of it copied.

        This function is long because it is the one loop that every frame goes
        through.
        """
        self.clock.heard = True
        self.bytes_received += len(data) if size < 0 else size
        protocol = self.protocol
        if protocol.discarding:
            self.fault = None
            return
        reader = protocol.reader
        inbox = self.inbox
        inflated = 0
        reader.feed(data, size)
        closing = protocol._state is CLOSING
        if self.held and not closing:
            reader.settle()
            return
        if self.fault is not None:
            self._fail()
            return
        # When we are closing, what is too much is dropped, not held back: the
        # peer's close frame may be behind it.
        self.held = False
        frames = -1 if closing else _FRAMES
        more = True
        try:
            while more and frames and reader.read_frame():
                more = reader.more
                frames -= 1
                opcode = reader.opcode
                if opcode > 7:
                    self._receive_control(opcode, reader.take_bytes())
                    if protocol.discarding:
                        return
                    continue
                if reader.message_reserved and not self.dropping:
                    content = protocol.take_data()
                    inflated += len(content) + _INFLATER * protocol.inflaters
                elif reader.message_opcode == 1 and not reader.message_reserved:
                    content = reader.take_text()
                else:
                    # Or it is compressed; what nobody gets needn't be inflated.
                    content = reader.take_bytes()
                if reader.fin:
                    self.messages_received += 1
                else:
                    self.fragments_received += 1
                if protocol.debug:
                    self._log(opcode, content, reader.fin)
                if protocol._state is CLOSING and (self.dropping or inbox.is_full()):
                    # We are closing: there's nobody to wait for room. From
                    # here on nothing is kept, so that no message has a gap
                    # before it.
                    self.dropping = True
                    inbox.clear()
                elif opcode and reader.fin:
                    inbox.append(content)
                else:
                    inbox.put_part(content, reader.fin)
                if inflated > inbox.max_bytes:
                    # What was received is little, what it inflates to is not.
                    if closing:
                        self.dropping = True
                        inbox.clear()
                        continue
                    self.held = True
                    break
        except Exception as exc:
            inbox.clear()
            self.fault = exc
            if inbox.messages and not closing:
                # Whoever waits for these may answer first.
                self.held = True
                reader.settle()
            else:
                self._fail()
            return
        if more and not frames:
            self.held = True
        if more or size < 0:
            reader.settle()

    def receive_held(self) -> None:
        """
        Read the frames that were left unread; call it when there is room.

        Where something is wrong with them, the connection fails now.
        """
        if self.held:
            self.held = False
            self.receive(b"")

    def receive_eof(self) -> None:
        """
        Take the end of the stream from the network, or its loss.

        Frames that were left unread can still be read.
        """
        if self.protocol._state is OPEN and not self.held:
            # What came together with the handshake may not be read yet.
            self.receive(b"")
        if self.fault is not None:
            self.receive_held()
        if not self.held:
            self.inbox.clear()
        self.protocol.receive_eof(keep_unread=self.held)

    def _fail(self) -> None:
        """Fail the connection, because of what was received."""
        self.held = False
        fault, self.fault = self.fault, None
        assert fault is not None
        self.protocol.fail_reading(fault)

    def _receive_control(self, opcode: int, data: bytes) -> None:
        self.controls_received += 1
        if self.protocol.debug:
            self._log(opcode, data, True)
        if opcode == 10:
            # RFC 6455, 5.5.3: others may come, and mean nothing.
            if data in self.pings:
                self.pongs.append(data)
        else:
            self.protocol.receive_control(opcode, data)

    def _log(self, opcode: int, content: str | bytes, fin: bool) -> None:
        """Log a received frame; what extensions did to it is undone."""
        data = content.encode() if isinstance(content, str) else content
        frame = Frame(Opcode(opcode), data, fin)
        self.protocol.logger.debug("< %s", frame)
