"""Floor 2, rules: which messages are worth compressing.

:class:`Compressor` decides it for one connection. Tiny messages go out as they
are, and so do those that don't shrink: the peer may not be sent what was
compressed then, so its history would differ from our deflater's, which is
therefore forgotten (RFC 7692, 7.2.1, lets any message do without history). After
a message that didn't shrink, more and more of the following ones aren't tried,
since who sends pictures sends more of them.
"""

from __future__ import annotations

from ..typing import BytesLike
from .permessage_deflate import PerMessageDeflate

__all__ = ["TINY", "Compressor"]

#: Messages below this size gain nothing from compression worth its time.
TINY = 64

# After a message that didn't shrink, at most this many go out as they are.
_MOST_SKIPPED = 64


class Compressor:
    """
    Compresses the messages of a connection where that is worth it.

    Args:
        deflate: the extension as negotiated.

    Attributes:
        deflate: the extension as negotiated.
        used: whether it compressed anything since this was last set to False.
        compressed_received: bytes of the compressed payloads received.
        uncompressed_received: bytes that they were decompressed to.
        compressed_sent: bytes of the compressed payloads sent.
        uncompressed_sent: bytes that they were compressed from.

    """

    __slots__ = (
        "_compressing",
        "_skip",
        "_skipped_last",
        "compressed_received",
        "compressed_sent",
        "deflate",
        "uncompressed_received",
        "uncompressed_sent",
        "used",
    )

    def __init__(self, deflate: PerMessageDeflate) -> None:
        self.deflate = deflate
        self.used = False
        self.compressed_received = 0
        self.uncompressed_received = 0
        self.compressed_sent = 0
        self.uncompressed_sent = 0
        self._compressing = False
        self._skip = 0
        self._skipped_last = 0

    def compress(
        self, opcode: int, data: BytesLike, fin: bool
    ) -> tuple[BytesLike, bool]:
        """
        Compress a data frame, or leave it alone.

        Args:
            opcode: 0, 1 or 2.
            data: the payload.
            fin: whether it is the last frame of its message.

        Returns:
            The payload to send, and whether it is compressed.

        """
        if opcode and fin:
            return self._compress_message(data)
        if opcode:
            # A message in fragments is likely to become a large one.
            self._compressing = self.used = True
        if not self._compressing:
            return data, False
        self._compressing = not fin
        compressed = self.deflate.deflate(data, fin)
        self.count_sent(len(data), len(compressed))
        return compressed, True

    def _compress_message(self, data: BytesLike) -> tuple[BytesLike, bool]:
        """Compress a message of one frame, if that makes it smaller."""
        size = len(data)
        if size < TINY:
            return data, False
        if self._skip:
            self._skip -= 1
            return data, False
        self.used = True
        compressed = self.deflate.deflate(data, True)
        if len(compressed) < size:
            self._skipped_last = 0
            self.count_sent(size, len(compressed))
            return compressed, True
        self.deflate.drop_encoder()
        self._skip = self._skipped_last = min(2 * self._skipped_last + 1, _MOST_SKIPPED)
        return data, False

    def decompress(self, data: bytes, fin: bool, max_size: int | None) -> bytes:
        """Decompress a data frame, as :meth:`PerMessageDeflate.inflate` does."""
        content = self.deflate.inflate(data, fin, max_size)
        self.compressed_received += len(data)
        self.uncompressed_received += len(content)
        return content

    def count_sent(self, size: int, compressed_size: int) -> None:
        """
        Take note of a compressed payload that is sent.

        Args:
            size: bytes that it was compressed from.
            compressed_size: its bytes.

        """
        self.uncompressed_sent += size
        self.compressed_sent += compressed_size

    def share(self, size: int, compressed_size: int) -> None:
        """
        Take note of a payload that is sent and wasn't compressed here.

        The peer's history isn't that of our deflater any more, which is forgotten.

        Args:
            size: bytes that it was compressed from.
            compressed_size: its bytes; the same number if it isn't compressed.

        """
        self.deflate.drop_encoder()
        if compressed_size != size:
            self.count_sent(size, compressed_size)

    def release_if_idle(self) -> None:
        """Free memory if nothing was compressed since the last call."""
        if not self.used and not self._compressing:
            self.deflate.release()
        self.used = False
