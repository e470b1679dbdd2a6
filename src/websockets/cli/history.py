"""Floor 5, faces: the lines that the interactive client remembers.

They're in ``$XDG_STATE_HOME/websockets/history``, which is below ``~/.local/state``
unless that variable says otherwise, readable for their user alone. The variable
``WEBSOCKETS_HISTORY`` names another file; empty, it turns this off.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Mapping

from .editor import MOST_HISTORY

__all__ = ["find_history", "read_history", "save_history"]


def find_history(environ: Mapping[str, str]) -> pathlib.Path | None:
    """Return where the history is kept; None if it isn't."""
    chosen = environ.get("WEBSOCKETS_HISTORY")
    if chosen is not None:
        return pathlib.Path(chosen) if chosen else None
    state = environ.get("XDG_STATE_HOME")
    base = pathlib.Path(state) if state else pathlib.Path("~/.local/state")
    try:
        return base.expanduser() / "websockets" / "history"
    except RuntimeError:
        # There's no home.
        return None


def read_history(path: pathlib.Path | None) -> list[str]:
    """Return the lines in a file; none if there is no such file."""
    if path is None:
        return []
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.split("\n")[:-1][-MOST_HISTORY:]


def save_history(path: pathlib.Path | None, added: list[str]) -> None:
    """
    Add lines to a file, in which other sessions may have added theirs.

    Args:
        path: the file; None to do nothing. If it can't be written, that is no
            reason to bother anyone.
        added: the lines of this session.

    """
    if path is None or not added:
        return
    lines = [*read_history(path), *added][-MOST_HISTORY:]
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8", errors="replace") as file:
            file.writelines(f"{line}\n" for line in lines)
        draft.replace(path)
