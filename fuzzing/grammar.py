"""The grammar of headers (RFC 9110, 5.6; RFC 6455, 9.1), one character at a time.

The same that ``websockets.headers`` does with regular expressions, in the plainest
words, as a second opinion. :exc:`ValueError` says that a header is wrong.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Any

TCHAR = set("!#$%&'*+-.^_`|~" + string.digits + string.ascii_letters)


class Text:
    """A header's value, and how far it was read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.pos = 0

    def peek(self) -> str:
        """Return the next character; nothing at the end."""
        return self.text[self.pos : self.pos + 1]

    def next(self) -> str:
        """Take the next character."""
        char = self.peek()
        if not char:
            raise ValueError("end")
        self.pos += 1
        return char

    def take(self, char: str) -> bool:
        """Take this character if it is the next one."""
        found = self.peek() == char
        self.pos += found
        return found

    def skip(self, chars: str) -> None:
        """Take as many of these as there are."""
        while self.peek() and self.peek() in chars:
            self.pos += 1

    def token(self) -> str:
        """Take a token."""
        start = self.pos
        while self.peek() in TCHAR:
            self.pos += 1
        if start == self.pos:
            raise ValueError("no token")
        return self.text[start : self.pos]

    def quoted(self) -> str:
        """Take a quoted string; return its content."""
        if self.next() != '"':
            raise ValueError("no quote")
        content = ""
        while (char := self.next()) != '"':
            if char == "\\":
                char = self.next()
            if not (char == "\t" or " " <= char <= "~" or is_obs(char)):
                raise ValueError("character")
            content += char
        return content


def is_obs(char: str) -> bool:
    """Tell whether a character is, or stands for, a byte that isn't ASCII."""
    return "\x80" <= char <= "\xff" or "\udc80" <= char <= "\udcff"


def read_list(header: str, item: Callable[[Text], Any]) -> list[Any]:
    """Read a list with at least one element; empty ones don't count."""
    text = Text(header)
    items = []
    text.skip("\t ,")
    while True:
        items.append(item(text))
        text.skip("\t ")
        if not text.peek():
            return items
        if not text.take(","):
            raise ValueError("no comma")
        text.skip("\t ,")
        if not text.peek():
            return items


def read_token(text: Text) -> str:
    """Read a token."""
    return text.token()


def read_protocol(text: Text) -> str:
    """Read a protocol, with its version if it has one."""
    name = text.token()
    start = text.pos
    if text.take("/"):
        if text.peek() in TCHAR:
            return f"{name}/{text.token()}"
        # Then the slash isn't a part of it.
        text.pos = start
    return name


def read_extension(text: Text) -> tuple[str, list[tuple[str, str | None]]]:
    """Read an extension with its parameters."""
    name = text.token()
    parameters: list[tuple[str, str | None]] = []
    while True:
        start = text.pos
        text.skip("\t ")
        if not text.take(";"):
            text.pos = start
            return name, parameters
        text.skip("\t ")
        parameters.append(_read_parameter(text))


def _read_parameter(text: Text) -> tuple[str, str | None]:
    key = text.token()
    start = text.pos
    text.skip("\t ")
    if not text.take("="):
        text.pos = start
        return key, None
    text.skip("\t ")
    if text.peek() != '"':
        return key, text.token()
    value = text.quoted()
    # RFC 6455, 9.1: it must be a token without its quotes.
    if not value or not set(value) <= TCHAR:
        raise ValueError("no token in quotes")
    return key, value
