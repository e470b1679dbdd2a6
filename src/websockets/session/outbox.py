"""Floor 3, habits: a message cut into frames.

:class:`Outbox` owns the message that is being sent in fragments: what kind it
is, and whether it has begun. Whoever sends sees that no other data frame comes
between its frames (RFC 6455, 5.4).
"""

from __future__ import annotations

from ..frames import flatten
from ..protocol import Protocol
from ..typing import Data

__all__ = ["Outbox"]

_BYTES = (bytes, bytearray, memoryview)


class Outbox:
    """
    Cuts messages into frames.

    Args:
        protocol: what frames are written to.

    """

    __slots__ = ("_is_text", "_protocol", "_started", "_text")

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._started = False
        self._is_text: bool | None = None
        self._text: bool | None = None

    def begin(self, text: bool | None = None) -> None:
        """
        Begin a message in fragments; none must be under way.

        Args:
            text: True for a text message, False for a binary one; None for
                what the first fragment is.

        """
        self._started = False
        self._is_text = None
        self._text = text

    def write(self, fragment: Data, last: bool) -> None:
        """
        Write a fragment.

        Args:
            fragment: str in a text message, bytes-like in a binary one.
            last: whether the message ends with it.

        Raises:
            TypeError: if it isn't of the kind that the message began with.

        """
        is_text = isinstance(fragment, str)
        if not is_text and not isinstance(fragment, _BYTES):
            raise TypeError(
                "data iterable must contain str or bytes-like objects, "
                f"not {type(fragment).__name__}"
            )
        if self._is_text is None:
            self._is_text = is_text
        elif self._is_text is not is_text:
            raise TypeError("data iterable must contain either only str or only bytes")
        data = fragment.encode() if isinstance(fragment, str) else flatten(fragment)
        sends_text = is_text if self._text is None else self._text
        opcode = 0 if self._started else (1 if sends_text else 2)
        self._protocol.write_data(opcode, data, last)
        self._started = True

    def finish(self) -> bool:
        """
        End the message after fragments none of which was the last.

        Returns:
            Whether there is a message to end: False if it had no fragments.

        """
        if self._started:
            self._protocol.write_data(0, b"", True)
        return self._started

    @property
    def started(self) -> bool:
        """Whether a frame of the message under way was written."""
        return self._started
