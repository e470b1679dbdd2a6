"""Lines that are remembered between sessions."""

from __future__ import annotations

import pathlib
import sys

import pytest

from websockets.cli.editor import MOST_HISTORY
from websockets.cli.history import find_history, read_history, save_history


class TestPlace:
    def test_chosen(self) -> None:
        environ = {"WEBSOCKETS_HISTORY": "file", "XDG_STATE_HOME": "/state"}
        assert find_history(environ) == pathlib.Path("file")

    def test_off(self) -> None:
        assert find_history({"WEBSOCKETS_HISTORY": ""}) is None

    def test_state(self) -> None:
        place = find_history({"XDG_STATE_HOME": "/state"})
        assert place == pathlib.Path("/state/websockets/history")

    def test_default(self) -> None:
        place = find_history({})
        assert place == pathlib.Path.home() / ".local/state/websockets/history"

    def test_no_home(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(path: pathlib.Path) -> pathlib.Path:
            raise RuntimeError("could not determine home directory")

        monkeypatch.setattr(pathlib.Path, "expanduser", fail)
        assert find_history({}) is None


class TestFile:
    def test_sessions_add_to_each_other(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "some" / "where" / "history"
        assert read_history(path) == []
        save_history(path, ["é", "two"])
        save_history(path, ["three"])
        assert read_history(path) == ["é", "two", "three"]
        assert [item.name for item in path.parent.iterdir()] == ["history"]
        if sys.platform != "win32":
            assert path.stat().st_mode & 0o777 == 0o600

    def test_nothing(self, tmp_path: pathlib.Path) -> None:
        save_history(tmp_path / "history", [])
        save_history(None, ["one"])
        assert list(tmp_path.iterdir()) == []
        assert read_history(None) == []

    def test_limit(self, tmp_path: pathlib.Path) -> None:
        path = tmp_path / "history"
        save_history(path, list(map(str, range(MOST_HISTORY + 5))))
        assert read_history(path)[0] == "5"
        save_history(path, ["new"])
        lines = read_history(path)
        assert (len(lines), lines[0], lines[-1]) == (MOST_HISTORY, "6", "new")

    def test_nobody_is_bothered(self, tmp_path: pathlib.Path) -> None:
        (tmp_path / "file").touch()
        save_history(tmp_path / "file" / "history", ["one"])
        assert read_history(tmp_path / "file" / "history") == []
