"""Turns the bytes of an input into decisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


class Recipe:
    """
    Reads decisions off an input; behind its end they are all 0.

    Every input is a recipe for something, so that whoever changes a byte of it gets
    something similar.

    Args:
        data: the input.

    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pos = 0

    def __bool__(self) -> bool:
        """Tell whether anything is left."""
        return self._pos < len(self._data)

    def byte(self) -> int:
        """Return the next byte."""
        return (self.take(1) or b"\0")[0]

    def take(self, size: int) -> bytes:
        """Return the next bytes, as many as there are."""
        data = self._data[self._pos : self._pos + size]
        self._pos += size
        return data

    def rest(self) -> bytes:
        """Return all that is left."""
        return self.take(len(self._data))

    def choose(self, choices: Sequence[T]) -> T:
        """Choose one of these."""
        return choices[self.byte() % len(choices)]


def cut(data: bytes, pattern: int) -> list[bytes]:
    """
    Cut data into pieces.

    Args:
        data: what to cut.
        pattern: 0 for no cuts, 1 for single bytes; anything else is the start of a
            series of sizes that looks irregular.

    """
    if pattern == 0:
        return [data]
    if pattern == 1:
        return [data[i : i + 1] for i in range(len(data))]
    pieces = []
    while data:
        pattern = (pattern * 75 + 74) % 65537
        size = 1 + pattern % 23 if pattern & 1 else 1 + pattern % 300
        pieces.append(data[:size])
        data = data[size:]
    return pieces


def outcome(function: Callable[[], Any], allowed: tuple[str, ...]) -> Any:
    """
    Call a function; return what it returns, or its error as a tuple.

    Args:
        function: what to call.
        allowed: names of the classes that its errors may have.

    """
    try:
        return function()
    except Exception as exc:
        name = type(exc).__name__
        if name not in allowed:
            raise
        return ("error", name, str(exc))


def same(results: Sequence[tuple[str, T]]) -> T:
    """Return the result that all have; each comes with the name of whose it is."""
    (first, expected), *others = results
    for name, found in others:
        if found != expected:
            raise AssertionError(
                f"{first} and {name} differ:\n  {expected!r}\n  {found!r}"
            )
    return expected
