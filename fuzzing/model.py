"""What a connection must do, in the plainest words: RFC 6455 and RFC 7692.

Slow and obvious: all bytes that were not read yet are one string, which is looked at
from its beginning each time; a text is checked from its first byte each time; a
message is inflated from its first byte each time, one byte after the other. Nothing
is shared with the library.

What the library decides by itself, where the RFCs leave it open, is marked with "Ours".
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

# Ours: a compressed frame may be that much larger than its content.
SLACK = 64

# Ours: from about this many final blocks on, a frame of a message is refused.
MANY_FINALS = 250

#: RFC 6455, 5.2: the most significant bit of a length is 0.
LONGEST = 2**63 - 1


class Fault(Exception):
    """What came breaks a rule; the argument is the close code."""


class UnclearError(Exception):
    """What came is wrong in a way in which inflaters differ; nothing can be said."""


# --- UTF-8 (RFC 3629) -----------------------------------------------------------


def _find_beginnings() -> set[bytes]:
    """Return whatever a character of several bytes can begin with."""
    found = set()
    # The last byte has six bits of the character; one in 64 is enough.
    for point in range(0x80, 0x110000, 64):
        if not 0xD800 <= point <= 0xDFFF:
            encoded = chr(point).encode()
            found |= {encoded[:size] for size in range(1, len(encoded))}
    return found


BEGINNINGS = _find_beginnings()


def can_be_text(data: bytes, complete: bool) -> bool:
    """Tell whether data is UTF-8, or can become it if more may follow."""
    for left_over in range(4):
        text, rest = data[: len(data) - left_over], data[len(data) - left_over :]
        if rest and (complete or rest not in BEGINNINGS):
            continue
        try:
            text.decode()
        except UnicodeDecodeError:
            continue
        return True
    return False


# --- Frames (RFC 6455, 5) -------------------------------------------------------


class Rules(NamedTuple):
    """What holds for the frames of a connection."""

    masked: bool
    max_size: int | None = None
    max_frame_size: int | None = None
    max_fragments: int | None = None
    reserved: int = 0


class Got(NamedTuple):
    """A frame that has come."""

    opcode: int
    fin: bool
    reserved: int
    payload: bytes


class Frames:
    """
    Reads frames.

    Attributes:
        data: what has come and isn't part of a frame that was read.
        message: opcode of the message under way; 0 outside of messages.
        encoded: whether extensions decode that message.
        is_text: whether it is text, and isn't encoded.
        size: how many bytes it has so far.
        text: its content, if it is text, so far.

    """

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.data = b""
        self.message = 0
        self.encoded = False
        self.size = 0
        self.text = b""
        self.is_text = False
        self._judged = False
        self._count = 0

    def next(self) -> Got | None:
        """Return the next frame, or None if it isn't complete."""
        data = self.data
        if len(data) < 2:
            return None
        first, second = data[0], data[1]
        self._judge_first(first)
        if (second >= 128) != self.rules.masked:
            raise Fault(1002)
        at, length = 2, second % 128
        if length >= 126:
            if first % 16 >= 8:
                raise Fault(1002)
            at = 4 if length == 126 else 10
            if len(data) < at:
                return None
            length = int.from_bytes(data[2:at], "big")
        if first % 16 < 8 and not self._judged:
            self._judge_order(first)
            self._judge_size(first, length)
        key = bytes(4)
        if self.rules.masked:
            key = data[at : at + 4]
            at += 4
            if len(key) < 4:
                return None
        if first % 16 < 8 and not self._judged:
            self._begin(first, length)
        payload = bytes(
            byte ^ key[i % 4] for i, byte in enumerate(data[at : at + length])
        )
        if len(payload) < length:
            if first % 16 < 8 and self.is_text:
                # Ours: a text is refused as soon as it can't be one.
                self._check_text(payload, False)
            return None
        self.data = data[at + length :]
        self._judged = False
        return Got(first % 16, first >= 128, first & 0x70, payload)

    def _judge_first(self, first: int) -> None:
        opcode, reserved = first % 16, first & 0x70
        if reserved & ~self.rules.reserved or opcode not in (0, 1, 2, 8, 9, 10):
            raise Fault(1002)
        if opcode >= 8 and (reserved or first < 128):
            raise Fault(1002)

    def _judge_order(self, first: int) -> None:
        if (first % 16 == 0) != (self.message != 0):
            raise Fault(1002)

    def _judge_size(self, first: int, length: int) -> None:
        begins = first % 16 != 0
        most, so_far = self.rules.max_size, 0 if begins else self.size
        frame_limit = self.rules.max_frame_size
        if frame_limit is not None and length > frame_limit < LONGEST:
            raise Fault(1009)
        if most is None or most >= LONGEST:
            if so_far + length > LONGEST:
                raise Fault(1002)
            return
        allowed = max(most - so_far, 0)
        if self._is_encoded(first) if begins else self.encoded:
            allowed += SLACK + most // 256
        if length > allowed:
            raise Fault(1009)

    def _is_encoded(self, first: int) -> bool:
        return first & 0x70 != 0 or self.rules.reserved == 0x70

    def _begin(self, first: int, length: int) -> None:
        """A data frame begins: its header is complete, and there's room for it."""
        opcode = first % 16
        if opcode:
            self.encoded = self._is_encoded(first)
            self.is_text = opcode == 1 and not self.encoded
            self.size = self._count = 0
            self.text = b""
        elif self.rules.reserved == 0x40 and first & 0x40:
            # RFC 7692, 6.1: RSV1 is for first frames.
            raise Fault(1002)
        fragmented = first < 128 or not opcode
        self._count += fragmented
        most = self.rules.max_fragments
        # Ours: one frame more for each 64 bytes that came before.
        if fragmented and most is not None and self._count - self.size // 64 > most:
            raise Fault(1009)
        if not self.encoded:
            self.size += length
        if opcode:
            self.message = opcode
        if first >= 128:
            self.message = 0
        self._judged = True

    def _check_text(self, payload: bytes, complete: bool) -> None:
        if not can_be_text(self.text + payload, complete):
            raise Fault(1007)

    def add_text(self, payload: bytes, complete: bool) -> None:
        """Take the content of a frame of a text (RFC 6455, 8.1)."""
        self._check_text(payload, complete)
        self.text += payload


# --- Compression (RFC 7692) -----------------------------------------------------


class Inflater:
    """
    Inflates what was deflated with the history of all that was before.

    Args:
        forgets: whether each message stands for itself.

    """

    def __init__(self, forgets: bool) -> None:
        self.forgets = forgets
        self.history = b""
        self._message = b""
        self._given = 0

    def inflate(self, data: bytes, fin: bool, most: int | None) -> bytes:
        """Return the content of the next frame of a message."""
        self._message += data
        content, fault, complete = self._inflate_message(fin)
        new = content[self._given :]
        if most is not None and len(new) > most:
            if fault and len(new) == most + 1:
                # Is it too much, or is it wrong? Both.
                raise UnclearError
            raise Fault(1009)
        if fault:
            raise Fault(1002)
        self._given = len(content)
        if fin:
            if not complete:
                raise Fault(1002)
            self.history = b"" if self.forgets else self.history + content
            self._message, self._given = b"", 0
        return new

    def _inflate_message(self, fin: bool) -> tuple[bytes, bool, bool]:
        """Return the content so far, whether it's wrong, and whether it ends well."""
        content, finals, clean = b"", 0, False
        decoder, begun, before = self._start(content), 0, content
        data = self._message + (b"\0\0\xff\xff" if fin else b"")
        for i, byte in enumerate(data):
            if decoder.eof:
                # RFC 7692, 7.2.3.4: after a final block, there may be others.
                finals += 1
                if finals > MANY_FINALS:
                    raise UnclearError
                if i == len(self._message):
                    # Ours: senders that forget the empty block behind it mean no harm.
                    clean = True
                    break
                decoder, begun, before = self._start(content), i, content
            try:
                content += decoder.decompress(bytes([byte]))
            except zlib.error:
                decoder = self._start(before)
                return before + _inflate_to_fault(decoder, data[begun:]), True, False
        return content, False, clean or _is_between_blocks(decoder)

    def _start(self, content: bytes) -> zlib._Decompress:
        return zlib.decompressobj(-15, zdict=(self.history + content)[-32768:])


def _inflate_to_fault(decoder: zlib._Decompress, data: bytes) -> bytes:
    """Return what comes out before the fault that there is, byte by byte."""
    content = b""
    while True:
        try:
            content += decoder.decompress(data, 1)
        except zlib.error:
            return content
        data = decoder.unconsumed_tail


def _is_between_blocks(decoder: zlib._Decompress) -> bool:
    """Tell whether a block could begin here: try the shortest one, and the last."""
    if decoder.eof:
        # The last block has taken for its own what we put behind the message.
        return False
    try:
        content = decoder.decompress(b"\x03\x00")
    except zlib.error:
        return False
    return decoder.eof and not content


# --- The connection -------------------------------------------------------------

OPEN, CLOSING, CLOSED = 1, 2, 3

#: In the output: the end of our stream.
END = (-1, True, b"")


def may_be_sent(code: int) -> bool:
    """Tell whether a close frame may have this code (RFC 6455, 7.4, and IANA)."""
    return code in {*range(1000, 1004), *range(1007, 1015)} or 3000 <= code <= 4999


class Connection:
    """
    A connection between two endpoints that speak frames already.

    Args:
        server: whether this is the server.
        rules: for the frames that come.
        inflater: what inflates messages; None without compression.

    Attributes:
        output: what must be written: opcode, whether it is the last frame, payload
            before compression. Of close frames, whose reason is ours, only the code.
        events: what was received, in the same form.

    """

    def __init__(self, server: bool, rules: Rules, inflater: Inflater | None) -> None:
        self.server = server
        self.frames = Frames(rules)
        self.inflater = inflater
        self.state = OPEN
        self.output: list[tuple[int, bool, bytes]] = []
        self.events: list[tuple[int, bool, bytes]] = []
        self.received: tuple[int, str] | None = None
        self.sent: int | None = None
        self.received_first: bool | None = None
        self.fault: int | None = None
        self.deaf = False
        self.ended = False
        self.sending = False
        self.holding = False
        self.held: bytes | None = None
        # Opcode of the message whose frame was read last.
        self._kind = 0

    # Receiving.

    def receive(self, data: bytes) -> None:
        """Take bytes from the peer."""
        if self.deaf:
            return
        self.frames.data += data
        try:
            while not self.deaf and (got := self.frames.next()) is not None:
                self._take(got)
        except Fault as fault:
            self.fault = fault.args[0]
            self.fail(self.fault)

    def _take(self, got: Got) -> None:
        if got.opcode >= 8:
            self.events.append((got.opcode, got.fin, got.payload))
            self._take_control(got.opcode, got.payload)
            return
        frames, payload = self.frames, got.payload
        if frames.encoded and self.inflater is not None:
            payload = self.inflater.inflate(payload, got.fin, self._room())
            frames.size += len(payload)
        self._kind = got.opcode or self._kind
        if self._kind == 1:
            frames.add_text(payload, got.fin)
        self.events.append((got.opcode, got.fin, payload))

    def _room(self) -> int | None:
        rules = self.frames.rules
        limits = []
        if rules.max_size is not None:
            limits.append(max(rules.max_size - self.frames.size, 0))
        if rules.max_frame_size is not None:
            limits.append(rules.max_frame_size)
        return min(limits, default=None)

    def _take_control(self, opcode: int, payload: bytes) -> None:
        if opcode == 9:
            # RFC 6455, 5.5.2: also when we have sent a close frame.
            if self.holding:
                self.held = payload
            elif not self.ended:
                self.output.append((10, True, payload))
        elif opcode == 8:
            self._take_close(payload)

    def _take_close(self, payload: bytes) -> None:
        code, reason = 1005, b""
        if len(payload) == 1:
            raise Fault(1002)
        if payload:
            code, reason = int.from_bytes(payload[:2], "big"), payload[2:]
            if not can_be_text(reason, True):
                raise Fault(1007)
            if not may_be_sent(code):
                raise Fault(1002)
        self.received = (code, reason.decode())
        if self.state == CLOSING:
            self.received_first = False
        # RFC 6455, 5.5.1: also in the middle of a message, which then has no end.
        if self.state == OPEN:
            self.received_first = True
            self.sent = code
            self.output.append((8, True, payload))
            self.state = CLOSING
        self.deaf = True
        if self.server:
            self.end()

    def receive_end(self) -> None:
        """Take the end of the peer's stream."""
        if self.state != CLOSED:
            self.deaf = True
            self.end()
            self.state = CLOSED

    # Sending. These return whether it is allowed: "", "state" or "rules".

    def send_data(self, opcode: int, payload: bytes, fin: bool) -> str:
        """Send a frame of a message."""
        if self.state != OPEN:
            return "state"
        if (opcode == 0) != self.sending:
            return "rules"
        self.sending = not fin
        self.output.append((opcode, fin, payload))
        return ""

    def send_control(self, opcode: int, payload: bytes) -> str:
        """Send a ping or a pong."""
        if self.state != OPEN:
            return "state"
        if len(payload) > 125:
            return "rules"
        self.output.append((opcode, True, payload))
        return ""

    def send_close(self, code: int | None, reason: str) -> str:
        """Send a close frame."""
        if self.state != OPEN:
            return "state"
        if code is None and reason or code is not None and not may_be_sent(code):
            return "rules"
        payload = b"" if code is None else code.to_bytes(2, "big") + reason.encode()
        if len(payload) > 125:
            return "rules"
        self.output.append((8, True, payload))
        self.sent = 1005 if code is None else code
        self.state = CLOSING
        return ""

    def fail(self, code: int) -> str:
        """Fail the connection (RFC 6455, 7.1.7)."""
        if self.state == OPEN:
            if code != 1006:
                if not may_be_sent(code):
                    return "rules"
                self.sent = code
                self.output.append((8, True, code.to_bytes(2, "big")))
                if self.received is not None:
                    self.received_first = True
            self.state = CLOSING
        self.deaf = True
        if self.server:
            self.end()
        return ""

    def release(self) -> None:
        """Send the one pong for all pings that came while the peer didn't read."""
        self.holding = False
        if self.held is not None and not self.deaf and not self.ended:
            self.output.append((10, True, self.held))
        self.held = None

    def end(self) -> None:
        """End our stream."""
        if not self.ended:
            self.ended = True
            self.output.append(END)
