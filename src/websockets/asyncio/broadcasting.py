"""Floor 4, engine: one message to many connections.

The message is made into a frame once for all connections that take the same
bytes: servers' connections without compression, and those with compression once
for each size of window. A connection that shares a compressed frame forgets the
history of its own deflater, since the peer's now differs (RFC 7692, 7.2.1, lets
any message be compressed without looking back).
"""

from __future__ import annotations

from collections.abc import Iterable

from ..codes import State
from ..extensions.compression import TINY
from ..extensions.permessage_deflate import PerMessageDeflate
from ..speedups import build_frame
from ..typing import BytesLike, Data
from .connection import Connection
from .loops import check_loop, running_loop

__all__ = ["broadcast"]

OPEN = State.OPEN


def broadcast(
    connections: Iterable[Connection],
    message: Data | BytesLike,
    raise_exceptions: bool = False,
    *,
    text: bool | None = None,
) -> None:
    """
    Send a message to many connections.

    Connections that aren't open are left out. So are, with a warning in their
    logs, those where a message in fragments is being sent.

    Args:
        connections: where to send.
        message: a str for a text message; bytes-like for a binary one.
        raise_exceptions: whether to raise failures at the end, in an
            :exc:`ExceptionGroup`, instead of logging them.
        text: True to send bytes as a text message, False to send a str as a
            binary one; None for what they are.

    Raises:
        RuntimeError: if it's called in another thread or event loop than a
            connection's; use :meth:`~asyncio.loop.call_soon_threadsafe` there.
        TypeError: if ``message`` is neither str nor bytes-like.
        ExceptionGroup: if sending failed for some, and they should be raised.

    It doesn't wait, so nothing slows it down: what a slow receiver doesn't read
    is kept for it in memory. A receiver that reads nothing at all is cut after
    its ``ping_timeout``.
    """
    if isinstance(message, str):
        frames = _Frames(2 if text is False else 1, message.encode())
    elif isinstance(message, (bytes, bytearray, memoryview)):
        frames = _Frames(1 if text else 2, bytes(message))
    else:
        raise TypeError(
            f"message must be str or bytes-like, not {type(message).__name__}"
        )
    failures: list[Exception] = []
    loop = running_loop()
    for connection in connections:
        if connection is None:
            # Compiled, it would be taken for a connection.
            raise TypeError("cannot broadcast to None")
        if connection.protocol._state is not OPEN:
            continue
        if connection.loop is not loop:
            check_loop(connection.loop)
        try:
            if connection._message_waiters is not None:
                raise RuntimeError("sending a fragmented message")
            try:
                frames.send(connection)
            except Exception as exc:
                raise RuntimeError("failed to write message") from exc
        except Exception as exc:
            failures.append(exc)
            if not raise_exceptions:
                connection.logger.warning(
                    f"skipped broadcast: {exc}",
                    exc_info=connection.debug and exc.__cause__ is not None,
                )
    if failures and raise_exceptions:
        raise ExceptionGroup("skipped broadcast", failures)


class _Frames:
    """
    A message as the bytes that each kind of connection takes.

    Args:
        opcode: 1 for text, 2 for binary.
        data: the payload.

    """

    def __init__(self, opcode: int, data: bytes) -> None:
        self.opcode = opcode
        self.data = data
        self._plain: bytes | None = None
        self._compressed: dict[int, bytes] = {}

    def send(self, connection: Connection) -> None:
        """Send the message to one connection."""
        protocol = connection.protocol
        compressor = protocol._compressor
        own_way = protocol.extensions and compressor is None
        if protocol._mask_frames or protocol.debug or own_way:
            # Masked by a key of its own, logged, or encoded in its own way.
            protocol._write_data(self.opcode, self.data, True)
        else:
            if compressor is None or len(self.data) < TINY:
                frame = self._plain_frame()
            else:
                frame = self._compressed_frame(compressor.deflate)
                compressor.share(len(self.data), _payload_size(frame))
            protocol.messages_sent += 1
            protocol.unsent += len(frame)
            protocol.writes.append(frame)
        connection._written()

    def _plain_frame(self) -> bytes:
        if self._plain is None:
            self._plain = build_frame(0x80 | self.opcode, self.data)
        return self._plain

    def _compressed_frame(self, deflate: PerMessageDeflate) -> bytes:
        bits = deflate.local_max_window_bits
        frame = self._compressed.get(bits)
        if frame is None:
            frame = self._compress(deflate)
            self._compressed[bits] = frame
        return frame

    def _compress(self, deflate: PerMessageDeflate) -> bytes:
        """Compress the message with no history; keep it plain if it grows."""
        fresh = PerMessageDeflate(
            remote_no_context_takeover=True,
            local_no_context_takeover=True,
            remote_max_window_bits=15,
            local_max_window_bits=deflate.local_max_window_bits,
            compress_settings=deflate.compress_settings,
            library=deflate.library,
        )
        data = fresh.deflate(self.data, True)
        if len(data) >= len(self.data):
            return self._plain_frame()
        return build_frame(0xC0 | self.opcode, data)


def _payload_size(frame: bytes) -> int:
    """Return the size of the payload of a frame that isn't masked."""
    length = frame[1]
    if length < 126:
        return length
    return len(frame) - (4 if length == 126 else 10)
