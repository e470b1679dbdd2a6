"""Floor 1, bytes: one frame, as an object and as bytes (RFC 6455, 5.2 to 5.6).

:class:`Frame` and :class:`Close` are what people handle who drive the sans-I/O
core by hand, and what debug logs show. The engine doesn't make a frame object
for each frame: it writes headers with :func:`build_header` and reads frames
with :class:`~websockets.reader.FrameReader`. Frames know nothing of
connections; what an extension does to a frame is asked of the extension.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, ClassVar

from .codes import CloseCode, Opcode, explain_close_code, is_wire_close_code
from .exceptions import PayloadTooBig, ProtocolError
from .typing import BytesLike, Data
from .utils import apply_mask, env_limit, generate_mask

if TYPE_CHECKING:
    from .extensions.base import Extension

__all__ = [
    "BINARY",
    "CLOSE",
    "CONT",
    "CTRL_OPCODES",
    "Close",
    "CloseCode",
    "DATA_OPCODES",
    "Frame",
    "OP_BINARY",
    "OP_CLOSE",
    "OP_CONT",
    "OP_PING",
    "OP_PONG",
    "OP_TEXT",
    "Opcode",
    "PING",
    "PONG",
    "TEXT",
    "prepare_ctrl",
    "prepare_data",
]

CONT = OP_CONT = Opcode.CONT
TEXT = OP_TEXT = Opcode.TEXT
BINARY = OP_BINARY = Opcode.BINARY
CLOSE = OP_CLOSE = Opcode.CLOSE
PING = OP_PING = Opcode.PING
PONG = OP_PONG = Opcode.PONG

DATA_OPCODES = CONT, TEXT, BINARY
CTRL_OPCODES = CLOSE, PING, PONG

#: RFC 6455, 5.5: control frames carry at most this many bytes.
MAX_CONTROL_PAYLOAD = 125


def build_header(first: int, length: int, mask: bytes | None) -> bytes:
    """
    Build the header of a frame (RFC 6455, 5.2).

    Args:
        first: the first byte: FIN, the reserved bits and the opcode.
        length: how many bytes of payload follow.
        mask: the 4 bytes of the masking key; None for an unmasked frame.

    """
    if mask is None:
        if length < 126:
            return bytes((first, length))
        if length < 65536:
            return struct.pack("!BBH", first, 126, length)
        return struct.pack("!BBQ", first, 127, length)
    if length < 126:
        return struct.pack("!BB4s", first, 128 | length, mask)
    if length < 65536:
        return struct.pack("!BBH4s", first, 254, length, mask)
    return struct.pack("!BBQ4s", first, 255, length, mask)


@dataclasses.dataclass
class Frame:
    """
    A WebSocket frame.

    Attributes:
        opcode: what the frame carries.
        data: the payload, as bytes whatever the opcode is.
        fin: whether this is the last frame of its message.
        rsv1: first reserved bit; extensions give it a meaning.
        rsv2: second reserved bit.
        rsv3: third reserved bit.

    """

    opcode: Opcode
    data: BytesLike
    fin: bool = True
    rsv1: bool = False
    rsv2: bool = False
    rsv3: bool = False

    #: How many characters of a payload logs show; environment variable
    #: ``WEBSOCKETS_MAX_LOG_SIZE``.
    MAX_LOG_SIZE: ClassVar[int] = env_limit("MAX_LOG_SIZE", 75)

    def __str__(self) -> str:
        """Show the frame as in logs: opcode, payload shortened, size."""
        size = memoryview(self.data).nbytes
        notes = [f"{size} byte{'' if size == 1 else 's'}"]
        if self.opcode in DATA_OPCODES:
            if self.opcode is not TEXT and size:
                notes.insert(0, "binary" if self.opcode is BINARY else "fragment")
            if self.rsv1:
                notes.append("compressed")
            if not self.fin:
                notes.append("continued")
        shown = self._show_data()
        return f"{self.opcode.name} {shown}{' ' if shown else ''}[{', '.join(notes)}]"

    def _show_data(self) -> str:
        """Show the payload in at most about ``MAX_LOG_SIZE`` characters."""
        if not self.data:
            return "''" if self.opcode in DATA_OPCODES else ""
        if self.opcode is CLOSE:
            try:
                return str(Close.parse(self.data))
            except (ProtocolError, UnicodeDecodeError):
                return _shorten_bytes(self.data, self.MAX_LOG_SIZE)
        if self.opcode is TEXT and not self.rsv1:
            return _shorten_text(self.data, self.MAX_LOG_SIZE)
        if self.opcode is not BINARY and not self.rsv1 and _is_text(self.data):
            return _shorten_text(self.data, self.MAX_LOG_SIZE)
        return _shorten_bytes(self.data, self.MAX_LOG_SIZE)

    @classmethod
    def parse(
        cls,
        read_exact: Callable[[int], Generator[None, None, bytes | bytearray]],
        *,
        mask: bool,
        max_size: int | None = None,
        extensions: Sequence[Extension] | None = None,
    ) -> Generator[None, None, Frame]:
        """
        Read one frame from a generator-style reader.

        Args:
            read_exact: generator function that returns a number of bytes, such
                as :meth:`StreamReader.read_exact`.
            mask: whether the frame must be masked: True on a server.
            max_size: most bytes of payload; None for no limit.
            extensions: extensions that decode the frame, last one first.

        Raises:
            EOFError: if the stream ends inside the frame.
            PayloadTooBig: if the frame is larger than ``max_size``.
            ProtocolError: if the frame breaks a rule of RFC 6455.

        """
        from .reader import read_lone_frame

        frame = yield from read_lone_frame(
            read_exact, masked=mask, max_size=max_size, reserved=bool(extensions)
        )
        for extension in reversed(extensions or ()):
            frame = extension.decode(frame, max_size=max_size)
        frame.check()
        return frame

    def serialize(
        self,
        *,
        mask: bool,
        extensions: Sequence[Extension] | None = None,
    ) -> bytes:
        """
        Return the frame as bytes.

        Args:
            mask: whether to mask the payload: True on a client.
            extensions: extensions that encode the frame, first one first.

        Raises:
            ProtocolError: if the frame breaks a rule of RFC 6455.

        """
        self.check()
        frame = self
        for extension in extensions or ():
            frame = extension.encode(frame)
        first = frame.first_byte()
        # Only bytes count bytes: a memoryview may count larger items.
        data = bytes(frame.data)
        if not mask:
            return build_header(first, len(data), None) + data
        key = generate_mask()
        return build_header(first, len(data), key) + apply_mask(data, key)

    def first_byte(self) -> int:
        """Return the first byte: FIN, the reserved bits and the opcode."""
        bits = self.fin << 7 | self.rsv1 << 6 | self.rsv2 << 5 | self.rsv3 << 4
        return self.opcode | bits

    def check(self) -> None:
        """
        Check what must hold for every frame (RFC 6455, 5.2 and 5.5).

        Raises:
            ProtocolError: if a reserved bit is set, or if a control frame is
                fragmented or carries more than 125 bytes.

        """
        if self.rsv1 or self.rsv2 or self.rsv3:
            raise ProtocolError("reserved bits must be 0")
        if self.opcode in CTRL_OPCODES:
            if len(self.data) > MAX_CONTROL_PAYLOAD:
                raise ProtocolError("control frame too long")
            if not self.fin:
                raise ProtocolError("fragmented control frame")


def prepare_data(data: Data) -> tuple[Opcode, BytesLike]:
    """
    Return the opcode and the payload of a message.

    Args:
        data: a str for a text message; bytes-like for a binary one.

    Raises:
        TypeError: if ``data`` is anything else.

    """
    if isinstance(data, str):
        return TEXT, data.encode()
    if isinstance(data, (bytes, bytearray, memoryview)):
        return BINARY, data
    raise TypeError(f"data must be str or bytes-like, not {type(data).__name__}")


def prepare_ctrl(data: Data) -> bytes:
    """
    Return the payload of a ping or pong.

    Args:
        data: a str, which is encoded to UTF-8, or bytes-like.

    Raises:
        TypeError: if ``data`` is anything else.

    """
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise TypeError(f"data must be str or bytes-like, not {type(data).__name__}")


@dataclasses.dataclass
class Close:
    """
    Code and reason of a close frame (RFC 6455, 5.5.1).

    Attributes:
        code: why the connection closes.
        reason: an explanation for people; may be empty.

    """

    code: CloseCode | int
    reason: str

    def __str__(self) -> str:
        """Show the code, what it means, and the reason."""
        text = f"{int(self.code)} ({explain_close_code(self.code)})"
        return f"{text} {self.reason}" if self.reason else text

    @classmethod
    def parse(cls, data: BytesLike) -> Close:
        """
        Read the payload of a close frame.

        Raises:
            ProtocolError: if the payload is one byte long, or if the code may
                not be on the wire.
            UnicodeDecodeError: if the reason isn't UTF-8.

        """
        if not data:
            return cls(CloseCode.NO_STATUS_RCVD, "")
        if len(data) < 2:
            raise ProtocolError("close frame too short")
        code = data[0] << 8 | data[1]
        close = cls(code, str(data[2:], "utf-8"))
        close.check()
        return close

    def serialize(self) -> bytes:
        """
        Return the payload of the close frame.

        Raises:
            ProtocolError: if the code may not be on the wire.

        """
        self.check()
        return self.code.to_bytes(2, "big") + self.reason.encode()

    def check(self) -> None:
        """
        Check that a close frame may carry this code (RFC 6455, 7.4.2).

        Raises:
            ProtocolError: if it may not.

        """
        if not is_wire_close_code(self.code):
            raise ProtocolError("invalid status code")


def cut_reason(reason: str) -> str:
    """Cut a close reason to what fits beside the code, between characters."""
    room = MAX_CONTROL_PAYLOAD - 2
    data = reason.encode()
    return reason if len(data) <= room else data[:room].decode("utf-8", "ignore")


def flatten(data: BytesLike) -> BytesLike:
    """Return data whose length is its number of bytes."""
    return bytes(data) if type(data) is memoryview else data


def check_payload_size(size: int, max_size: int | None) -> None:
    """
    Check a payload against a limit.

    Raises:
        PayloadTooBig: if there are more than ``max_size`` bytes.

    """
    if max_size is not None and size > max_size:
        raise PayloadTooBig(size, max_size)


def _shorten(text: str, limit: int) -> str:
    """Cut the middle out of a text that is longer than ``limit``."""
    if len(text) <= limit:
        return text
    # Two thirds are the beginning, but there's always something of both ends.
    tail = max(limit // 3 - 3, 1)
    head = max(limit - 3 - tail, 1)
    return f"{text[:head]}...{text[-tail:]}"


def _is_text(data: BytesLike) -> bool:
    """Tell whether the payload of a small or continued frame reads as text."""
    try:
        return str(memoryview(data)[:MAX_CONTROL_PAYLOAD], "utf-8").isprintable()
    except UnicodeDecodeError:
        return False


def _shorten_text(data: BytesLike, limit: int) -> str:
    """Show UTF-8 shortened; decodes no more than what is shown."""
    view = memoryview(data)
    if len(view) > 8 * limit:
        data = bytes(view[: 4 * limit]) + bytes(view[len(view) - 4 * limit :])
    return _shorten(repr(str(data, "utf-8", "replace")), limit)


def _shorten_bytes(data: BytesLike, limit: int) -> str:
    """Show bytes as hexadecimal, shortened."""
    view = memoryview(data)
    if len(view) > 2 * limit:
        data = bytes(view[:limit]) + bytes(view[len(view) - limit :])
    return _shorten(bytes(data).hex(" "), limit)
