"""Floor 5, faces: colours, widths, and what a terminal mustn't be sent."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping
from typing import TextIO

__all__ = ["Style", "cells", "printable", "wants_colour"]

_WINDOWS = os.name == "nt"

#: SGR parameters (ECMA-48, 8.3.117) by what is shown.
_COLOURS = {
    "received": "36",
    "status": "2",
    "bad": "31",
    "good": "32",
    "key": "34",
    "string": "32",
    "number": "33",
    "word": "35",
    "prompt": "1",
}

# A server mustn't move the cursor, change colours or titles, or have the terminal
# type for the user: control characters, of which new lines and tabs are harmless,
# and those that turn the direction of text around.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Return a text with what a terminal might obey made visible."""
    # Lone surrogates can't be printed.
    text = text.encode("utf-8", "backslashreplace").decode()
    return _UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def cells(character: str) -> int:
    """Return how many columns of a terminal a character takes."""
    if unicodedata.combining(character) or unicodedata.category(character) == "Cf":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "FW" else 1


def wants_colour(choice: str, stream: TextIO, environ: Mapping[str, str]) -> bool:
    """
    Tell whether to use colours.

    Args:
        choice: "always", "never", or "auto" for what follows from the rest.
        stream: where the text goes.
        environ: the environment: ``NO_COLOR`` and ``TERM`` count.

    """
    if choice != "auto":
        return choice == "always"
    if not stream.isatty() or environ.get("NO_COLOR"):
        return False
    # Of the consoles of Windows, the newer one understands by itself.
    return "WT_SESSION" in environ if _WINDOWS else environ.get("TERM") != "dumb"


class Style:
    """
    Paints text, or leaves it.

    Args:
        coloured: whether to paint.

    """

    def __init__(self, coloured: bool) -> None:
        self.coloured = coloured

    def __call__(self, kind: str, text: str) -> str:
        """Return a text in the colour of its kind."""
        return f"\x1b[{_COLOURS[kind]}m{text}\x1b[m" if self.coloured else text
