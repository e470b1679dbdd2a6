"""How messages and the end of a connection are shown."""

from __future__ import annotations

import datetime
import io
from typing import Any

import pytest

from cli_support import Tty
from websockets.cli.messages import (
    Formatter,
    describe_close,
    explain_close,
    is_normal,
)
from websockets.cli.style import Style, cells, printable, wants_colour


def shown(message: Any, coloured: bool = False, **settings: bool) -> str:
    return Formatter(Style(coloured), **settings).received(message)


class TestMessages:
    @pytest.mark.parametrize(
        "message, plain, decorated",
        [
            ("hello", "hello", "< hello"),
            ("a\nb\tc", "a\nb\tc", "< a\nb\tc"),
            (b"\x00\xff", "00ff", "< (binary) 00ff"),
            (
                "\x1b[2J\x9b\x07\u202e",
                "\x1b[2J\x9b\x07\u202e",
                r"< \x1b[2J\x9b\x07\u202e",
            ),
        ],
    )
    def test_message(self, message: Any, plain: str, decorated: str) -> None:
        assert shown(message) == plain
        assert shown(message, decorated=True) == decorated

    def test_timestamp(self) -> None:
        formatter = Formatter(Style(False), timestamps=True, decorated=True)
        now = datetime.datetime(2030, 1, 2, 3, 4, 5, 678901)
        assert formatter.received("hello", now) == "[03:04:05.678] < hello"
        assert formatter.received("hello")[13:] == "] < hello"

    @pytest.mark.parametrize(
        "message, text",
        [
            ('{"a":[1,"é"]}', '{\n  "a": [\n    1,\n    "é"\n  ]\n}'),
            ("{not json", "{not json"),
            ("[" * 100_000, "[" * 100_000),
            (b'{"a":1}', b'{"a":1}'.hex()),
        ],
    )
    def test_pretty(self, message: Any, text: str) -> None:
        assert shown(message, pretty=True) == text

    def test_pretty_leaves_nothing_that_terminals_obey(self) -> None:
        # json.dumps() escapes control characters, but not those beyond ASCII.
        assert shown('"\\u009b\\u001b"', pretty=True, decorated=True) == (
            r'< "\x9b\u001b"'
        )

    def test_colours(self) -> None:
        assert shown("hi", True, decorated=True) == "\x1b[36m<\x1b[m hi"
        assert shown('{"a": "b:", "c": [-1.5e3, null]}', True, pretty=True) == (
            '{\n  \x1b[34m"a"\x1b[m: \x1b[32m"b:"\x1b[m,\n'
            '  \x1b[34m"c"\x1b[m: [\n    \x1b[33m-1500.0\x1b[m,\n'
            "    \x1b[35mnull\x1b[m\n  ]\n}"
        )


class TestClose:
    @pytest.mark.parametrize(
        "code, reason, text, explained, normal",
        [
            (1000, "", "1000 (OK)", "", True),
            (1001, "bye", "1001 (going away) bye", "", True),
            (1005, "", "1005 (no status received [internal])", "", True),
            (1009, "", "1009 (message too big)", "larger", False),
            (None, None, "1006 (abnormal closure [internal])", "lost", False),
            (4000, "a\x1bb\nc", r"4000 (private use) a\x1bb\nc", "", False),
        ],
    )
    def test_close(
        self, code: Any, reason: Any, text: str, explained: str, normal: bool
    ) -> None:
        assert describe_close(code, reason) == text
        assert explained in explain_close(code)
        assert bool(explained) is bool(explain_close(code))
        assert is_normal(code) is normal


class TestStyle:
    def test_printable(self) -> None:
        assert printable("a\x00\ud800é") == r"a\x00\ud800é"

    @pytest.mark.parametrize(
        "character, width", [("a", 1), ("日", 2), ("\u0301", 0), ("\u200b", 0)]
    )
    def test_cells(self, character: str, width: int) -> None:
        assert cells(character) == width

    @pytest.mark.parametrize(
        "choice, terminal, environ, wanted",
        [
            ("always", False, {"NO_COLOR": "1"}, True),
            ("never", True, {}, False),
            ("auto", True, {}, True),
            ("auto", False, {}, False),
            ("auto", True, {"NO_COLOR": "1"}, False),
            ("auto", True, {"TERM": "dumb"}, False),
        ],
    )
    def test_wants_colour(
        self,
        monkeypatch: pytest.MonkeyPatch,
        choice: str,
        terminal: bool,
        environ: dict[str, str],
        wanted: bool,
    ) -> None:
        stream = Tty() if terminal else io.StringIO()
        monkeypatch.setattr("websockets.cli.style._WINDOWS", False)
        assert wants_colour(choice, stream, environ) is wanted

    def test_consoles_of_windows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("websockets.cli.style._WINDOWS", True)
        assert not wants_colour("auto", Tty(), {})
        assert wants_colour("auto", Tty(), {"WT_SESSION": "1"})
