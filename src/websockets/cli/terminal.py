"""Floor 5, faces: a terminal, with a line to type in below what is received.

The terminal sends each key at once and shows nothing by itself. What comes is
printed above the line, which is then drawn anew; so typing isn't disturbed.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import signal
import termios
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self, TextIO

from .console import Console
from .editor import LineEditor
from .history import find_history, read_history, save_history
from .messages import Formatter
from .style import cells, printable

__all__ = ["Terminal"]

_PROMPT = "> "

_CLEAR_LINE = "\r\x1b[K"


class Terminal(Console):
    """
    A terminal where a person types. Use it with ``with``, in an event loop.

    Args:
        formatter: makes text of messages.
        stdin: the terminal.
        stdout: the same terminal.

    """

    interactive = True

    def __init__(self, formatter: Formatter, stdin: TextIO, stdout: TextIO) -> None:
        super().__init__(formatter, stdin, stdout, stdout)
        self._fd = stdin.fileno()
        self._history_path = find_history(os.environ)
        self._editor = LineEditor(read_history(self._history_path))
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._entered: asyncio.Queue[str | None] = asyncio.Queue()

    def __enter__(self) -> Self:
        """Take control of the terminal."""
        self._loop = asyncio.get_running_loop()
        self._saved = termios.tcgetattr(self._fd)
        self._loop.add_reader(self._fd, self._read)
        self._loop.add_signal_handler(signal.SIGCONT, self._resume)
        self._loop.add_signal_handler(signal.SIGWINCH, self._draw)
        self._resume()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the terminal back as it was."""
        self._loop.remove_reader(self._fd)
        self._loop.remove_signal_handler(signal.SIGCONT)
        self._loop.remove_signal_handler(signal.SIGWINCH)
        self._show(_CLEAR_LINE)
        termios.tcsetattr(self._fd, termios.TCSADRAIN, self._saved)
        save_history(self._history_path, self._editor.added)

    def _resume(self) -> None:
        """Take control, again if the program was stopped meanwhile."""
        mode = termios.tcgetattr(self._fd)
        # Signals still come from Control-C and Control-Z.
        mode[3] &= ~(termios.ICANON | termios.ECHO | termios.IEXTEN)
        mode[6][termios.VMIN] = 1
        mode[6][termios.VTIME] = 0
        termios.tcsetattr(self._fd, termios.TCSADRAIN, mode)
        self._draw()

    async def lines(self) -> AsyncIterator[bytes]:
        """Yield the lines that are entered, until the end of input."""
        while (line := await self._entered.get()) is not None:
            yield line.encode()

    def write(self, stream: TextIO, text: str) -> None:
        """Print a line above the one that is being edited."""
        self._show(f"{_CLEAR_LINE}{text}\n{self._line()}")

    def _read(self) -> None:
        """Take what was typed; called by the event loop."""
        try:
            data = os.read(self._fd, 4096)
        except OSError:
            data = b""
        if not data:
            # The terminal is gone.
            self._loop.remove_reader(self._fd)
            self._entered.put_nowait(None)
            return
        for line in self._editor.feed(self._decoder.decode(data)):
            prompt = self.formatter.style("prompt", _PROMPT)
            self.write(self.stdout, prompt + printable(line))
            self._entered.put_nowait(line)
        if self._editor.ended:
            self._entered.put_nowait(None)
        self._draw()

    def _draw(self) -> None:
        self._show(self._line())

    def _line(self) -> str:
        """Return what draws the line that is being edited."""
        before = sum(map(cells, _PROMPT))
        visible, column = self._editor.render(self._width() - before)
        prompt = self.formatter.style("prompt", _PROMPT)
        return f"{_CLEAR_LINE}{prompt}{visible}\x1b[{before + column + 1}G"

    def _width(self) -> int:
        # Some terminals don't know, and say 0.
        return os.get_terminal_size(self.stdout.fileno()).columns or 80

    def _show(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
