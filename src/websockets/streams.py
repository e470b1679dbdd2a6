"""Floor 1, bytes: a byte buffer that is read with generators.

Only for people who call :meth:`Request.parse <websockets.http11.Request.parse>`,
:meth:`Response.parse <websockets.http11.Response.parse>` or
:meth:`Frame.parse <websockets.frames.Frame.parse>` by hand; the package itself reads
with :class:`~websockets.http11.HandshakeReader` and
:class:`~websockets.reader.FrameReader`.

Each reading method is a generator, used with ``yield from``. It yields ``None``
whenever more bytes are needed: feed some, or the end of the stream, and resume it.
"""

from __future__ import annotations

import sys
from collections.abc import Generator

from .typing import BytesLike

__all__ = ["StreamReader"]


class StreamReader:
    """Bytes that were received and not read yet."""

    __slots__ = ("_buffer", "_eof")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._eof = False

    def read_line(self, m: int = sys.maxsize) -> Generator[None, None, bytearray]:
        """Read a line.

        Args:
            m: the most bytes the line may have, its end included.

        Returns:
            a generator that returns the line with the LF that ends it.

        Raises:
            EOFError: the stream ends before the line does.
            RuntimeError: the line has more than ``m`` bytes.

        """
        scanned = 0
        while not (end := self._buffer.find(b"\n", scanned) + 1):
            scanned = len(self._buffer)
            self._check_size(scanned, m)
            self._check_eof("before end of line")
            yield
        self._check_size(end, m)
        return self._take(end)

    def read_exact(self, n: int) -> Generator[None, None, bytearray]:
        """Read so many bytes.

        Args:
            n: how many bytes.

        Returns:
            a generator that returns them.

        Raises:
            EOFError: the stream ends before that.

        """
        while len(self._buffer) < n:
            self._check_eof(f"expected {n} bytes")
            yield
        return self._take(n)

    def read_to_eof(self, m: int = sys.maxsize) -> Generator[None, None, bytearray]:
        """Read all bytes until the end of the stream.

        Args:
            m: the most bytes there may be.

        Returns:
            a generator that returns them.

        Raises:
            RuntimeError: there are more than ``m`` bytes.

        """
        while True:
            self._check_size(len(self._buffer), m)
            if self._eof:
                return self._take(len(self._buffer))
            yield

    def at_eof(self) -> Generator[None, None, bool]:
        """Tell whether the stream ends here.

        Returns:
            a generator that returns ``False`` as soon as there is a byte to read,
            and ``True`` when the stream ended and all was read.

        """
        while not (self._buffer or self._eof):
            yield
        return not self._buffer

    def feed_data(self, data: BytesLike) -> None:
        """Take bytes that came.

        Args:
            data: the bytes; they are copied.

        Raises:
            EOFError: the end of the stream was fed before.

        """
        if self._eof:
            raise EOFError("stream ended")
        self._buffer += data

    def feed_eof(self) -> None:
        """Take note that no more bytes will come.

        Raises:
            EOFError: the end of the stream was fed before.

        """
        if self._eof:
            raise EOFError("stream ended")
        self._eof = True

    def discard(self) -> None:
        """Forget all bytes that were not read."""
        self._buffer.clear()

    def _take(self, size: int) -> bytearray:
        """Remove bytes from the buffer and return them."""
        data = self._buffer[:size]
        del self._buffer[:size]
        return data

    def _check_size(self, size: int, m: int) -> None:
        """Raise if there is more than was allowed."""
        if size > m:
            raise RuntimeError(f"read {size} bytes, expected no more than {m} bytes")

    def _check_eof(self, expected: str) -> None:
        """Raise if nothing comes any more."""
        if self._eof:
            size = len(self._buffer)
            raise EOFError(f"stream ends after {size} bytes, {expected}")
