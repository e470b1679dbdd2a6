"""Floor 1, bytes: cuts a stream of bytes into frames (RFC 6455, section 5).

:class:`FrameReader` owns the unread bytes, the position in them, and the size
budget of the frame and of the message. It knows everything that RFC 6455 says
of a frame and of the order of fragments, and nothing of connections: no
states, no extensions, no answers.

How it works. The owner feeds a chunk, reads frames until there is none, and
settles::

    reader.feed(chunk)
    while reader.read_frame():
        ... reader.opcode, reader.fin, reader.take_bytes() or .take_text()
    reader.settle()

Between :meth:`~FrameReader.feed` and :meth:`~FrameReader.settle` frames are
read where they lie in the chunk, so a frame that arrives whole is copied once:
when its payload is taken. After settling, the chunk is free to be overwritten.
What stays behind goes to ``_tail``: an incomplete header or an incomplete
control frame, at most 138 bytes, and whole frames only if the owner didn't want
to read them yet. The payload of an incomplete data frame is unmasked as it
comes and gathered in ``_partial``, which grows with what was received and never
with what was announced. The rest of a large payload may be read into its place
there: see :meth:`~FrameReader.room`.

Every limit is checked on the header, before anything is gathered. Text is
checked as it comes: a message fails as soon as its bytes can't be UTF-8, also
inside a frame that isn't complete.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Generator

from .codes import Opcode
from .exceptions import PayloadTooBig, ProtocolError, TooManyFragments
from .frames import Frame
from .speedups import Payload, take_bytes, take_text
from .typing import BytesLike
from .utils import env_limit

__all__ = ["FrameReader", "read_lone_frame"]

#: Stands for "no limit": RFC 6455, 5.2, allows 63 bits for a length.
NO_LIMIT = (1 << 63) - 1

#: Most frames in a message whatever their size; see ``max_fragments`` below.
#: Environment variable ``WEBSOCKETS_MAX_FRAGMENTS``.
MAX_FRAGMENTS = env_limit("MAX_FRAGMENTS", 4096)

#: A message may have one frame more for each so many bytes that came before, as a
#: power of two. A frame that large costs little more than its content.
_BYTES_PER_FRAME = 6

#: How much larger than its content a compressed message may be: deflate adds
#: five bytes to each block that it can't shrink.
_DEFLATE_SLACK = 64

# From this many missing bytes on, a payload is read into its place: one copy less,
# for the price of an object that stands for the place.
_LARGE = 65536

# What is wrong with the first byte of a frame; None where nothing is.
# RFC 6455, 5.2: reserved bits are 0 unless an extension gave them a meaning,
# and reserved opcodes fail the connection. 5.5: control frames have FIN set.
_KNOWN_OPCODES = frozenset(int(opcode) for opcode in Opcode)


def _find_fault(first: int, allowed_bits: int) -> str | None:
    opcode = first & 0x0F
    if first & 0x70 & ~allowed_bits:
        return "reserved bits must be 0"
    if opcode not in _KNOWN_OPCODES:
        return "invalid opcode"
    if opcode >= 8 and first & 0x70:
        # RFC 7692, 6: an extension of messages leaves control frames alone.
        return "reserved bits must be 0"
    if opcode >= 8 and not first & 0x80:
        return "fragmented control frame"
    return None


_FAULTS = {
    allowed: [_find_fault(first, allowed) for first in range(256)]
    for allowed in (0x00, 0x40, 0x70)
}


class FrameReader:
    """
    Reads frames from a stream of bytes.

    Args:
        masked: whether frames must be masked: True on a server.
        max_size: most bytes in a message, whatever its fragments; None for no
            limit.
        max_frame_size: most bytes in a frame; None for no limit of its own.
        max_fragments: most frames in a message; None for no limit. It is about
            small ones: for each 64 bytes of content there may be one frame more.
        checks_text: whether text is checked as it comes; False to leave that
            to whoever takes it.

    Attributes:
        opcode: of the frame that was read, an int.
        fin: whether that frame is the last one of its message.
        reserved: its reserved bits, as they stand in the first byte.
        length: how many bytes its payload has.
        message_opcode: of the message that the last data frame belongs to.
        message_reserved: 0 unless extensions must decode that message; else
            the reserved bits of its first frame, and 0x80 if extensions decode
            every message.
        in_message: whether another frame of that message must follow.
        message_size: how many bytes of that message were read, as far as
            another frame's limit depends on it.
        more: whether something was fed behind that frame.

    """

    __slots__ = (
        "_allowed",
        "_checked",
        "_data",
        "_decoder",
        "_end",
        "_faults",
        "_fragments",
        "_key",
        "_masked",
        "_max_fragments",
        "_max_frame_size",
        "_max_size",
        "_missing",
        "_opaque",
        "_partial",
        "_pos",
        "_start",
        "_tail",
        "_text",
        "_validator",
        "fin",
        "in_message",
        "length",
        "message_opcode",
        "message_reserved",
        "message_size",
        "more",
        "opcode",
        "reserved",
    )

    def __init__(
        self,
        *,
        masked: bool,
        max_size: int | None = None,
        max_frame_size: int | None = None,
        max_fragments: int | None = None,
        checks_text: bool = True,
    ) -> None:
        self._masked = masked
        self.max_size = max_size
        self.max_frame_size = max_frame_size
        self._max_fragments = NO_LIMIT if max_fragments is None else max_fragments
        self._text = 1 if checks_text else -1
        self.allow_reserved(0)
        # The frame that was read last.
        self.opcode = 0
        self.fin = True
        self.reserved = 0
        self.length = 0
        self.more = False
        self._start = 0
        self._key = -1
        # The message that it belongs to.
        self.in_message = False
        self.message_opcode = 0
        self.message_reserved = 0
        self.message_size = 0
        self._fragments = 0
        self._decoder: codecs.IncrementalDecoder | None = None
        self._validator: codecs.IncrementalDecoder | None = None
        # The chunk being read, and what stays behind of those before it.
        self._data = _NOTHING
        self._pos = 0
        self._end = 0
        self._tail = _NOTHING
        # The payload under way, how much of it is missing, how much was checked.
        self._partial: Payload | None = None
        self._missing = 0
        self._checked = 0

    @property
    def max_size(self) -> int | None:
        """Most bytes in a message; None for no limit."""
        return None if self._max_size == NO_LIMIT else self._max_size

    @max_size.setter
    def max_size(self, value: int | None) -> None:
        self._max_size = _check_limit("max_size", value)

    @property
    def max_frame_size(self) -> int | None:
        """Most bytes in a frame; None for no limit of its own."""
        return None if self._max_frame_size == NO_LIMIT else self._max_frame_size

    @max_frame_size.setter
    def max_frame_size(self, value: int | None) -> None:
        self._max_frame_size = _check_limit("max_frame_size", value)

    def allow_reserved(self, bits: int) -> None:
        """
        Say which reserved bits extensions gave a meaning.

        Args:
            bits: 0x00 for none, 0x40 for RSV1, 0x70 for all. With 0x40 a
                message whose first frame has the bit is encoded; with 0x70
                every message is, since an extension may change payloads
                without marking them. The bytes of an encoded message are not
                checked as text, and :meth:`count` tells its size.

        """
        self._allowed = bits
        self._opaque = 0x80 if bits == 0x70 else 0
        self._faults = _FAULTS[bits]

    # Feeding.

    def feed(self, data: BytesLike, size: int = -1) -> None:
        """
        Take a chunk of bytes.

        Args:
            data: the chunk.
            size: how many bytes at the start of ``data`` count: ``data`` is then
                a bytearray, and read in place: it must stay as it is until
                :meth:`settle` was called, and may be changed. -1 to have all
                of it copied.

        """
        if self._pos < self._end:
            # The owner fed again without settling.
            self.settle()
        if self._tail:
            self._tail += data if size < 0 else memoryview(data)[:size]
            self._data = self._tail
            self._tail = _NOTHING
            self._end = len(self._data)
        elif size < 0:
            self._data = bytearray(data)
            self._end = len(self._data)
        else:
            assert isinstance(data, bytearray)
            self._data = data
            self._end = size
        self._pos = 0

    def settle(self) -> None:
        """Keep what is left of the chunk, and let go of the chunk."""
        if self._pos < self._end:
            self._tail = self._data[self._pos : self._end]
        self._data = _NOTHING
        self._pos = self._end = 0

    def drop(self) -> None:
        """Forget whatever was fed and not read."""
        self._data = _NOTHING
        self._pos = self._end = self._missing = 0
        self._tail = _NOTHING
        self._partial = None

    @property
    def unread(self) -> int:
        """How many bytes were fed and belong to no frame that was read."""
        gathered = 0 if self._partial is None else len(self._partial)
        return self._end - self._pos + len(self._tail) + gathered

    def missing(self) -> int:
        """Return how many bytes at least must be fed to complete the frame."""
        if self._missing:
            return self._missing
        data = self._data[self._pos : self._end] or self._tail
        if len(data) < 2:
            return 2 - len(data)
        size = 2 + 4 * self._masked
        length = data[1] & 0x7F
        if length > 125:
            size += 2 if length == 126 else 8
        elif data[0] & 0x08:
            size += length
        return size - len(data)

    # Reading.

    def read_frame(self) -> bool:
        """
        Read the next frame.

        Returns:
            Whether a frame is complete. Its payload must be taken before the
            next one is read. False says that more bytes are needed.

        Raises:
            ProtocolError: if the frame breaks a rule of RFC 6455.
            PayloadTooBig: if the frame or its message is too big.
            TooManyFragments: if its message has too many frames.
            UnicodeDecodeError: if the payload of an incomplete frame of a text
                message can't be UTF-8.

        This function is long because it is the one loop that every byte goes
        through; its steps are numbered.
        """
        # 0. In the middle of a payload: gather what has come.
        if self._partial is not None:
            return self._gather()
        data = self._data
        pos = self._pos
        end = self._end
        if end - pos < 2:
            return False

        # 1. The first byte: FIN, reserved bits, opcode.
        first = data[pos]
        second = data[pos + 1]
        fault = self._faults[first]
        if fault is not None:
            raise ProtocolError(fault)
        opcode = first & 0x0F

        # 2. RFC 6455, 5.1: clients mask, servers don't.
        masked = self._masked
        if (second > 127) is not masked:
            raise ProtocolError("incorrect masking")

        # 3. The length. RFC 6455, 5.2, asks senders for the shortest form; a
        # longer one does no harm, and small devices send it.
        length = second & 0x7F
        pos += 2
        if length > 125:
            if opcode > 7:
                raise ProtocolError("control frame too long")
            if length == 126:
                if end - pos < 2:
                    return False
                length = data[pos] << 8 | data[pos + 1]
                pos += 2
            else:
                if end - pos < 8:
                    return False
                length = int.from_bytes(data[pos : pos + 8], "big")
                pos += 8

        # 4. Order and size of data frames, before anything is gathered.
        if opcode < 8:
            if opcode:
                if self.in_message:
                    raise ProtocolError("expected a continuation frame")
                size = 0
            else:
                if not self.in_message:
                    raise ProtocolError("unexpected continuation frame")
                # The limit may have been lowered in the middle of the message.
                size = min(self.message_size, self._max_size)
            # Compared like this, no sum of hostile lengths can overflow.
            if length > self._max_frame_size or length > self._max_size - size:
                self._check_size(first, length, size)

        # 5. The masking key.
        key = -1
        if masked:
            if end - pos < 4:
                return False
            key = pos
            pos += 4

        # 6. The payload: where it lies, if it is all there.
        complete = end - pos >= length
        if opcode < 8:
            if opcode and first > 127:
                # A message of one frame, as most are.
                self.message_opcode = opcode
                self.message_reserved = first & 0x70 | self._opaque
                self.message_size = 0
            else:
                self._begin_fragment(first, opcode, length)
        elif not complete:
            return False
        self.opcode = opcode
        self.fin = first > 127
        self.reserved = first & 0x70
        self.length = length
        if complete:
            self._start = pos
            self._key = key
            pos += length
            self._pos = pos
            self.more = pos < end
            return True
        mask = bytes(data[key : key + 4]) if masked else b""
        self._partial = Payload(length, mask)
        self._pos = pos
        self._missing = length
        self._checked = 0
        return self._gather()

    def _begin_fragment(self, first: int, opcode: int, length: int) -> None:
        """Carry the state of a message in fragments over to its next frame."""
        if opcode:
            self.message_opcode = opcode
            self.message_reserved = first & 0x70 | self._opaque
            self.message_size = 0
            self._fragments = 0
        elif self._allowed == 0x40 and first & 0x40:
            # RFC 7692, 6: RSV1 marks the first frame of a message only.
            raise ProtocolError("reserved bits must be 0")
        self._fragments += 1
        most = self._max_fragments
        if self._fragments - (self.message_size >> _BYTES_PER_FRAME) > most:
            raise TooManyFragments(most)
        if not self.message_reserved:
            self.message_size += length
        self.in_message = first < 128

    def _check_size(self, first: int, length: int, size: int) -> None:
        """Say what is wrong with the size of a frame, if anything is."""
        starts = first & 0x0F
        encoded = first & 0x70 | self._opaque if starts else self.message_reserved
        if length > self._max_frame_size < NO_LIMIT:
            raise PayloadTooBig(length, self._max_frame_size)
        limit = self._max_size - size
        if encoded and self._max_size != NO_LIMIT:
            # The content is counted once it is decoded; see count().
            limit += _DEFLATE_SLACK + (self._max_size >> 8)
        if length > limit:
            if self._max_size == NO_LIMIT:
                # RFC 6455, 5.2: the most significant bit must be 0.
                raise ProtocolError("invalid frame length")
            raise PayloadTooBig(length, self._max_size - size, size or None)

    def _gather(self) -> bool:
        """Add what has come to the payload of an incomplete data frame."""
        payload = self._partial
        assert payload is not None
        size = min(self._missing, self._end - self._pos)
        if size:
            stop = self._pos + size
            payload.append(self._data, self._pos, stop)
            self._pos = stop
            self._missing -= size
        if self.message_opcode == self._text and not self.message_reserved:
            self._validate(payload)
        self.more = self._pos < self._end
        return not self._missing

    # Reading a large payload into its place.

    def wants_room(self) -> bool:
        """Tell whether so much is missing that it should be read into its place."""
        return self._missing >= _LARGE

    def room(self) -> memoryview:
        """
        Return where to put the bytes that come next, instead of feeding them.

        Only while :meth:`wants_room`. Say with :meth:`fill` how many came, before
        anything else is read.
        """
        if self._partial is None:
            raise ValueError("there is no room: no payload is incomplete")
        return self._partial.room()

    def fill(self, size: int) -> None:
        """Take so many bytes that were put into the :meth:`room`."""
        if self._partial is None:
            raise ValueError("there is no room: no payload is incomplete")
        self._partial.filled(size)
        self._missing -= size

    # Taking the payload.

    def take_bytes(self) -> bytes:
        """Return the payload of the frame that was read, unmasked."""
        payload = self._partial
        if payload is not None:
            self._partial = None
            return payload.take_bytes()
        start = self._start
        return take_bytes(self._data, start, start + self.length, self._key)

    def take_frame(self) -> Frame:
        """Return the frame that was read as an object."""
        bits = self.reserved
        return Frame(
            Opcode(self.opcode),
            self.take_bytes(),
            self.fin,
            bool(bits & 0x40),
            bool(bits & 0x20),
            bool(bits & 0x10),
        )

    def take_text(self) -> str:
        """
        Return the payload of a frame of a text message, decoded.

        A character that a fragment ends in the middle of comes with the next
        fragment.

        Raises:
            UnicodeDecodeError: if the message can't be UTF-8 (RFC 6455, 8.1).

        """
        if not self.fin or self.opcode != 1:
            return self.decode_text(self.take_bytes())
        payload = self._partial
        if payload is not None:
            self._partial = None
            return payload.take_text()
        start = self._start
        return take_text(self._data, start, start + self.length, self._key)

    def decode_text(self, data: bytes) -> str:
        """
        Decode a fragment of the current text message.

        Args:
            data: the payload of the frame that was read, decoded by the
                extensions if there are any.

        Raises:
            UnicodeDecodeError: if the message can't be UTF-8 (RFC 6455, 8.1).

        """
        if self._decoder is None:
            self._decoder = _make_decoder()
        elif self.opcode:
            self._decoder.reset()
        return _decode(self._decoder, data, self.fin)

    def _validate(self, payload: Payload) -> None:
        """Check a text frame from where it was checked so far (RFC 6455, 8.1)."""
        start = self._checked
        self._checked = len(payload)
        if self._validator is None:
            self._validator = _make_decoder()
        if not start:
            self._validator.reset()
            if not self.opcode and self._decoder is not None:
                self._validator.setstate(self._decoder.getstate())
        last = self.fin and not self._missing
        _decode(self._validator, payload.part(start), last)

    def count(self, size: int) -> None:
        """Add to the current message what an extension decoded."""
        self.message_size += size

    def budget(self) -> int | None:
        """Return how many bytes the current frame's content may have."""
        # The limit may have been lowered in the middle of the message.
        left = max(self._max_size - self.message_size, 0)
        if self._max_size == NO_LIMIT:
            left = NO_LIMIT
        left = min(left, self._max_frame_size)
        return None if left == NO_LIMIT else left


def _check_limit(name: str, value: int | None) -> int:
    """Return a limit as it is kept."""
    if value is None:
        return NO_LIMIT
    if value < 0:
        raise ValueError(f"{name} must not be negative: {value}")
    return min(value, NO_LIMIT)


_NOTHING = bytearray()
_make_decoder = codecs.getincrementaldecoder("utf-8")


def _decode(decoder: codecs.IncrementalDecoder, data: BytesLike, last: bool) -> str:
    """Decode a part of a text, and fail at the first byte that can't be right."""
    text = decoder.decode(bytes(data), last)
    if not last:
        # Python's decoder waits for the third byte of an encoded surrogate,
        # but two are enough to know (RFC 3629, 4).
        waiting = decoder.getstate()[0]
        if waiting[:1] == b"\xed" and waiting[1:] >= b"\xa0":
            raise UnicodeDecodeError(
                "utf-8", waiting, 0, 1, "invalid continuation byte"
            )
    return text


def read_lone_frame(
    read_exact: Callable[[int], Generator[None, None, bytes | bytearray]],
    *,
    masked: bool,
    max_size: int | None,
    reserved: bool,
) -> Generator[None, None, Frame]:
    """
    Read one frame, whatever message it belongs to, without its neighbours.

    Args:
        read_exact: generator function that returns a number of bytes.
        masked: whether the frame must be masked.
        max_size: most bytes of payload; None for no limit.
        reserved: whether reserved bits may be set.

    Raises:
        EOFError: if the stream ends inside the frame.
        PayloadTooBig: if the frame is larger than ``max_size``.
        ProtocolError: if the frame breaks a rule of RFC 6455.

    """
    # max_frame_size: what lies on the wire is what counts here.
    reader = FrameReader(masked=masked, max_frame_size=max_size, checks_text=False)
    reader.allow_reserved(0x70 if reserved else 0)
    head = yield from read_exact(2)
    # A continuation alone is as good as any other frame here.
    reader.in_message = not head[0] & 0x0F
    reader.feed(bytes(head))
    while not reader.read_frame():
        reader.feed(bytes((yield from read_exact(reader.missing()))))
    return reader.take_frame()
