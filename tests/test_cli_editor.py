"""The line editor: what keys do to the line, and what of it is visible."""

from __future__ import annotations

import pytest

from websockets.cli.editor import MOST_HISTORY, LineEditor

LEFT, RIGHT, UP, DOWN = "\x1b[D", "\x1b[C", "\x1b[A", "\x1b[B"
ENTER, END = "\r", "\x04"


def edited(keys: str) -> str:
    """Return a line with a bar where the cursor is."""
    editor = LineEditor()
    assert editor.feed(keys) == []
    return editor.text[: editor.cursor] + "|" + editor.text[editor.cursor :]


class TestKeys:
    @pytest.mark.parametrize(
        "keys, line",
        [
            ("héllo 日本", "héllo 日本|"),
            ("a\tb", "a\tb|"),
            # Moving.
            (f"abc{LEFT}{LEFT}", "a|bc"),
            (f"abc{LEFT * 9}x", "x|abc"),
            (f"abc{LEFT}{RIGHT * 9}x", "abcx|"),
            ("abc\x1bOD\x1bOD\x1bOC", "ab|c"),
            ("abc\x02\x02\x06", "ab|c"),
            ("abc\x01x", "x|abc"),
            ("abc\x1b[Hx\x1b[Fy", "xabcy|"),
            ("abc\x1b[1~x\x1b[4~y\x05", "xabcy|"),
            ("one two  \x1bbx", "one x|two  "),
            ("one two\x1b[1;5D\x1b[1;5D\x1b[1;5D", "|one two"),
            ("one two\x01\x1bf", "one| two"),
            ("one two\x01\x1b[1;5C\x1b[1;5C\x1b[1;5C", "one two|"),
            # Removing.
            ("abc\x7f\x08", "a|"),
            ("\x7fa", "a|"),
            (f"abc{LEFT}{LEFT}\x1b[3~", "a|c"),
            ("abc\x1b[3~", "abc|"),
            (f"abc{LEFT * 2}\x04", "a|c"),
            (f"abc{LEFT}\x0b", "ab|"),
            (f"abc{LEFT}\x15", "|c"),
            ("one two\x17", "one |"),
            ("one two\x1b\x7f\x1b\x7f", "|"),
            ("one two\x01\x1bd", "| two"),
            ("one two\x17\x01\x19", "two|one "),
            ("\x19x", "x|"),
            # What isn't known, or can't be typed.
            ("a\x1b[99~b\x1bzc\x00d\x1bOPe", "abcde|"),
        ],
    )
    def test_line(self, keys: str, line: str) -> None:
        assert edited(keys) == line

    @pytest.mark.parametrize("keys", [f"ab{LEFT}x", "one two\x1b[1;5Dx", "ab\x1bOHx"])
    def test_keys_may_come_in_pieces(self, keys: str) -> None:
        editor = LineEditor()
        for character in keys:
            editor.feed(character)
        assert editor.text == edited(keys).replace("|", "")
        assert "\x1b" not in editor.text and "[" not in editor.text

    def test_enter(self) -> None:
        editor = LineEditor()
        assert editor.feed(f"one{ENTER}two\nthr") == ["one", "two"]
        assert editor.feed(f"ee{LEFT}{ENTER}") == ["three"]
        assert editor.feed(ENTER) == [""]
        assert (editor.text, editor.cursor) == ("", 0)

    def test_end_only_in_an_empty_line(self) -> None:
        editor = LineEditor()
        assert editor.feed(f"a{END}\x7f") == []
        assert not editor.ended
        assert editor.feed(f"{ENTER}{END}{END}x{ENTER}") == [""]
        assert editor.ended and editor.text == ""


class TestHistory:
    def test_recall(self) -> None:
        editor = LineEditor(["old"])
        editor.feed(f"new{ENTER}dra")
        seen = []
        for key in (UP, UP, UP, "\x0e", "\x1bOB", DOWN, "\x10"):
            editor.feed(key)
            seen.append(editor.text)
        assert seen == ["new", "old", "old", "new", "dra", "dra", "new"]
        assert editor.feed(f"!{ENTER}") == ["new!"]
        assert editor.history == ["old", "new", "new!"]
        assert editor.added == ["new", "new!"]

    def test_not_everything_is_kept(self) -> None:
        editor = LineEditor()
        editor.feed(f"a{ENTER}a{ENTER}{ENTER} secret{ENTER}b{ENTER}")
        assert editor.history == editor.added == ["a", "b"]

    def test_there_is_a_limit(self) -> None:
        editor = LineEditor(list(map(str, range(MOST_HISTORY))))
        editor.feed(f"new{ENTER}")
        assert len(editor.history) == MOST_HISTORY
        assert (editor.history[0], editor.history[-1]) == ("1", "new")


class TestRender:
    @pytest.mark.parametrize(
        "text, back, width, visible, column",
        [
            ("", 0, 10, "", 0),
            ("abc", 0, 10, "abc", 3),
            ("abc", 2, 10, "abc", 1),
            ("a\tb", 0, 10, "a b", 3),
            ("日本", 1, 10, "日本", 2),
            ("e\u0301x", 1, 10, "e\u0301x", 1),
            # The beginning isn't visible, or the end.
            ("0123456789", 0, 8, "456789", 6),
            ("0123456789", 10, 8, "0123456", 0),
            ("0123456789", 2, 8, "2345678", 6),
            ("日本日本日本", 0, 8, "本日本", 6),
            ("日本日本日本", 6, 8, "日本日", 0),
            # Narrower than anything.
            ("abc", 0, 1, "", 0),
            ("abc", 0, -3, "", 0),
        ],
    )
    def test_render(
        self, text: str, back: int, width: int, visible: str, column: int
    ) -> None:
        editor = LineEditor()
        editor.feed(text + LEFT * back)
        assert editor.render(width) == (visible, column)
