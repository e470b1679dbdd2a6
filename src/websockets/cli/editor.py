"""Floor 5, faces: a line editor, without the terminal.

:class:`LineEditor` is given what a terminal sends for the keys that were pressed,
and knows what the line then looks like. It does no I/O: the console draws it.
The keys are those of Emacs, which shells have taught to everyone.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from .style import cells

__all__ = ["MOST_HISTORY", "LineEditor"]

#: Lines that are remembered.
MOST_HISTORY = 1000

# One key: an escape sequence (ECMA-48, 5.4), Alt and a key, or a character. What
# may be the beginning of a longer one waits for the rest.
_KEY = re.compile(
    r"\x1b[\[O][0-?]*[ -/]*[@-~]|\x1b[^\[O]|(?P<part>\x1b(?:[\[O][0-?]*[ -/]*)?\Z)|.",
    re.DOTALL,
)

_WORD_BEFORE = re.compile(r"\w*\W*\Z")
_WORD_BEHIND = re.compile(r"\W*\w*")


class LineEditor:
    """
    A line that is being edited, and those that were entered before.

    Args:
        history: earlier lines, oldest first; what is entered is added.

    Attributes:
        text: the line.
        cursor: the index in it that the cursor is at.
        ended: whether the end of input was typed.
        added: what was added to the history.

    """

    def __init__(self, history: list[str] | None = None) -> None:
        self.history = [] if history is None else history
        self.text = ""
        self.cursor = 0
        self.ended = False
        self.added: list[str] = []
        self._entered: list[str] = []
        self._pending = ""
        self._killed = ""
        # Where we are in the history, and what was typed before going there.
        self._place = len(self.history)
        self._draft = ""

    def feed(self, data: str) -> list[str]:
        """
        Take what the terminal has sent.

        Args:
            data: characters and control sequences, cut anywhere.

        Returns:
            The lines that were entered.

        """
        data, self._pending = self._pending + data, ""
        for match in _KEY.finditer(data):
            if match["part"] is not None:
                self._pending = match[0]
            elif not self.ended:
                self._press(match[0])
        entered, self._entered = self._entered, []
        return entered

    def render(self, width: int) -> tuple[str, int]:
        """
        Return what of the line is visible, and the cursor's column in that.

        Args:
            width: how many columns there are; the last one stays empty.

        """
        widths = [cells(character) for character in self.text]
        start, column = self.cursor, 0
        while start and column + widths[start - 1] <= width - 2:
            start -= 1
            column += widths[start]
        stop, used = start, 0
        while stop < len(widths) and used + widths[stop] <= width - 1:
            used += widths[stop]
            stop += 1
        return self.text[start:stop].replace("\t", " "), column

    def _press(self, key: str) -> None:
        """Do what a key does; one that isn't known does nothing."""
        action = _ACTIONS.get(key)
        if action is not None:
            action(self)
        elif key.isprintable() or key == "\t":
            self._replace(self.cursor, self.cursor, key)

    def _replace(self, start: int, stop: int, text: str = "") -> str:
        """Put text in the place of a part of the line; return that part."""
        gone = self.text[start:stop]
        self.text = self.text[:start] + text + self.text[stop:]
        self.cursor = start + len(text)
        return gone

    # What keys do.

    def _enter(self) -> None:
        line = self._replace(0, len(self.text))
        self._entered.append(line)
        # A space in front keeps a line out of the history.
        if line and not line.startswith(" ") and self.history[-1:] != [line]:
            self.history.append(line)
            self.added.append(line)
            del self.history[:-MOST_HISTORY]
        self._place = len(self.history)
        self._draft = ""

    def _end_or_delete(self) -> None:
        if self.text:
            self._delete()
        else:
            self.ended = True

    def _delete(self) -> None:
        self._replace(self.cursor, self.cursor + 1)

    def _backspace(self) -> None:
        self._replace(max(self.cursor - 1, 0), self.cursor)

    def _left(self) -> None:
        self.cursor = max(self.cursor - 1, 0)

    def _right(self) -> None:
        self.cursor = min(self.cursor + 1, len(self.text))

    def _home(self) -> None:
        self.cursor = 0

    def _to_end(self) -> None:
        self.cursor = len(self.text)

    def _word_left(self) -> None:
        match = _WORD_BEFORE.search(self.text[: self.cursor])
        assert match is not None
        self.cursor = match.start()

    def _word_right(self) -> None:
        match = _WORD_BEHIND.match(self.text, self.cursor)
        assert match is not None
        self.cursor = match.end()

    def _kill(self, move: Callable[[LineEditor], None]) -> None:
        """Remove what the cursor moves over."""
        before = self.cursor
        move(self)
        self._killed = self._replace(min(before, self.cursor), max(before, self.cursor))

    def _yank(self) -> None:
        self._replace(self.cursor, self.cursor, self._killed)

    def _recall(self, step: int) -> None:
        """Go to another line of the history, or back to the new one."""
        place = self._place + step
        if not 0 <= place <= len(self.history):
            return
        if self._place == len(self.history):
            self._draft = self.text
        self._place = place
        self.text = [*self.history, self._draft][place]
        self.cursor = len(self.text)


Action = Callable[[LineEditor], None]

_E = LineEditor

# Cursor keys come in two encodings or more.
_BINDINGS: dict[Action, str] = {
    _E._enter: "^M ^J",
    _E._end_or_delete: "^D",
    _E._delete: "\x1b[3~",
    _E._backspace: "\x7f ^H",
    _E._left: "^B \x1b[D \x1bOD",
    _E._right: "^F \x1b[C \x1bOC",
    _E._home: "^A \x1b[H \x1bOH \x1b[1~ \x1b[7~",
    _E._to_end: "^E \x1b[F \x1bOF \x1b[4~ \x1b[8~",
    _E._word_left: "\x1bb \x1b[1;5D \x1b[1;3D",
    _E._word_right: "\x1bf \x1b[1;5C \x1b[1;3C",
    lambda editor: editor._kill(_E._to_end): "^K",
    lambda editor: editor._kill(_E._home): "^U",
    lambda editor: editor._kill(_E._word_left): "^W \x1b\x7f",
    lambda editor: editor._kill(_E._word_right): "\x1bd",
    _E._yank: "^Y",
    lambda editor: editor._recall(-1): "^P \x1b[A \x1bOA",
    lambda editor: editor._recall(1): "^N \x1b[B \x1bOB",
}


def _code(key: str) -> str:
    """Return what a key sends: ``^A`` stands for Control and A."""
    return chr(ord(key[1]) - 64) if len(key) == 2 and key[0] == "^" else key


_ACTIONS = {
    _code(key): action for action, keys in _BINDINGS.items() for key in keys.split(" ")
}
