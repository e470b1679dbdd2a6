"""Floor 5, faces: where the interactive client reads lines and shows messages.

:class:`Console` works with pipes and files: lines come from standard input,
messages go to standard output, and everything else goes to standard error.
:class:`~.terminal.Terminal` takes its place where a person types.
"""

from __future__ import annotations

import asyncio
import importlib.util
import threading
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

from ..typing import Data
from .messages import Formatter

__all__ = ["Console", "can_edit", "read_lines"]

_CHUNK = 2**16
_CHUNKS_AHEAD = 4


class RawInput(Protocol):
    """A file without a buffer."""

    def read(self, size: int, /) -> bytes | None:
        """Return what is there, at most so many bytes; b"" at the end."""
        ...


def can_edit(stdin: TextIO | None, stdout: TextIO) -> bool:
    """Tell whether a person types at a terminal that we can control."""
    return (
        stdin is not None
        and stdin.isatty()
        and stdout.isatty()
        and importlib.util.find_spec("termios") is not None
    )


class _Reader:
    """
    Reads a file in a thread, since event loops can't read all kinds of them.

    Args:
        raw: the file. Having no buffer it has no lock either, which would be in
            the way at the end of the program if the thread were still reading.

    """

    def __init__(self, raw: RawInput) -> None:
        self._raw = raw
        self._loop = asyncio.get_running_loop()
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue()
        self._room = threading.Semaphore(_CHUNKS_AHEAD)
        self._closed = False
        name = "websockets-input"
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def _run(self) -> None:
        data = b"more"
        while data:
            self._room.acquire()
            if self._closed:
                return
            data = self._read()
            try:
                self._loop.call_soon_threadsafe(self._chunks.put_nowait, data)
            except RuntimeError:
                # The event loop is closed: nobody wants to know any more.
                return

    def _read(self) -> bytes:
        try:
            return self._raw.read(_CHUNK) or b""
        except (OSError, ValueError):
            # What can't be read has ended; so has what somebody has closed.
            return b""

    def close(self) -> None:
        """Read no more."""
        self._closed = True
        self._room.release()

    async def chunk(self) -> bytes:
        """Return what comes next; b"" at the end."""
        data = await self._chunks.get()
        self._room.release()
        return data


async def read_lines(raw: RawInput) -> AsyncIterator[bytes]:
    """
    Yield the lines of a file, without what ends them.

    Args:
        raw: the file, without a buffer. It's read ahead a bit.

    """
    reader = _Reader(raw)
    try:
        async for line in _split(reader):
            yield line
    finally:
        reader.close()


async def _split(reader: _Reader) -> AsyncIterator[bytes]:
    rest = bytearray()
    while chunk := await reader.chunk():
        searched = len(rest)
        rest += chunk
        start = 0
        while (stop := rest.find(b"\n", max(start, searched))) >= 0:
            yield bytes(rest[start:stop]).removesuffix(b"\r")
            start = stop + 1
        del rest[:start]
    if rest:
        yield bytes(rest).removesuffix(b"\r")


class Console:
    """
    Standard input, output and error.

    Args:
        formatter: makes text of messages.
        stdin: where lines come from; None if it's closed.
        stdout: where messages go.
        stderr: where the rest goes, unless ``stdout`` is a terminal.

    Attributes:
        interactive: whether a person types here.

    """

    interactive = False

    def __init__(
        self,
        formatter: Formatter,
        stdin: TextIO | None,
        stdout: TextIO,
        stderr: TextIO,
    ) -> None:
        self.formatter = formatter
        self.stdin: Any = stdin
        self.stdout = stdout
        self.talks = stdout.isatty()
        self._notes = stdout if self.talks else stderr

    def __enter__(self) -> Self:
        """Begin to read."""
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave everything as it was."""

    async def lines(self) -> AsyncIterator[bytes]:
        """Yield the lines that are entered, until the end of input."""
        if self.stdin is not None:
            async for line in read_lines(self.stdin.buffer.raw):
                yield line

    def received(self, message: Data) -> None:
        """Show a message."""
        self.write(self.stdout, self.formatter.received(message))

    def note(self, kind: str, text: str) -> None:
        """Tell something else, in the colour of its kind."""
        self.write(self._notes, self.formatter.style(kind, text))

    def write(self, stream: TextIO, text: str) -> None:
        """Print a line."""
        stream.write(text + "\n")
        stream.flush()
