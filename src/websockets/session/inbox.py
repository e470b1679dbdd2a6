"""Floor 3, habits: the messages that wait to be received.

:class:`Inbox` owns them, and knows when so many wait that reading should pause.
Messages are never in a future or on a stack while they wait, so that cancelling
whoever waits for one can't lose it.

Two limits apply. A number of messages, which users choose, and a number of
bytes, which bounds memory whatever their number is. Reading doesn't pause as
soon as the first limit is passed, but when besides a reserve of bytes is used
up: a connection whose application is slow goes on reading until then, so that
pings and close frames behind a few waiting messages are still answered.

Who wants the parts of a message as they come opens a stream. From then on parts
wait among the messages, one by one, and the limits apply to them. When the stream
ends, parts that nobody has taken become messages again.
"""

from __future__ import annotations

import sys
from collections import deque

__all__ = ["Fragments", "Inbox", "Message"]

#: What waiting costs beside the memory of the message itself: a place, and the time
#: to look at it whenever others come.
OVERHEAD = 256

# The most memory that a str takes beside its characters, and for each of them.
_HEADER = 80
_WIDEST = 4

_sizeof = sys.getsizeof


class Fragments:
    """
    A message that came in several frames.

    Attributes:
        parts: the content of each frame: all str or all bytes.
        size: how many bytes of memory they take.
        streamed: whether this is one part of a message, which waits for who
            takes it as it comes.
        last: whether the message ends with it.

    """

    __slots__ = ("last", "parts", "size", "streamed")

    def __init__(self) -> None:
        self.parts: list[str] | list[bytes] = []
        self.size = 0
        self.streamed = False
        self.last = True

    def add(self, part: str | bytes) -> None:
        """Add the content of the next frame."""
        self.parts.append(part)  # type: ignore[arg-type]
        self.size += _sizeof(part) + 8

    def __len__(self) -> int:
        """Return how many bytes of memory the parts take."""
        return self.size

    def __sizeof__(self) -> int:
        """Return the same, for :func:`sys.getsizeof`."""
        return self.size

    def join(self) -> str | bytes:
        """Return the message as one object."""
        parts = self.parts
        if isinstance(parts[0], str):
            return "".join(parts)
        return b"".join(parts)


#: A message as it waits.
Message = str | bytes | Fragments


class Inbox:
    """
    The messages that wait to be received.

    Args:
        max_queue: how many messages may wait; None for no limit. Of a pair,
            reading pauses above the first and resumes at the second.
        max_bytes: how many bytes may wait, whatever the number of messages. What
            counts is the memory they take: a str takes up to four bytes for each
            of its characters.
        reserve: how many bytes are still read when ``max_queue`` messages wait.

    Attributes:
        messages: the messages, first received first.
        append: adds a message behind all others.
        popleft: takes the first message; there must be one.
        partial: the message whose last frame hasn't come yet; None if there is
            none.
        streaming: whether parts wait one by one.
        skipping: whether the rest of a message is dropped, whose first parts
            were taken by someone who didn't want the others.

    """

    __slots__ = (
        "append",
        "high",
        "low",
        "max_bytes",
        "messages",
        "partial",
        "popleft",
        "reserve",
        "skipping",
        "streaming",
    )

    def __init__(
        self,
        max_queue: int | tuple[int | None, int | None] | None = 32,
        *,
        max_bytes: int = 2**20,
        reserve: int = 2**16,
    ) -> None:
        high, low = max_queue if isinstance(max_queue, tuple) else (max_queue, None)
        self.high = high
        self.low = (high or 0) // 4 if low is None else low
        self.max_bytes = max_bytes
        self.reserve = reserve
        self.messages: deque[Message] = deque()
        # Every message goes through these: they are looked up once.
        self.append = self.messages.append
        self.popleft = self.messages.popleft
        self.partial: Fragments | None = None
        self.streaming = False
        self.skipping = False

    def put_part(self, part: str | bytes, last: bool) -> None:
        """Add the content of one of several frames of a message."""
        if self.skipping:
            self.skipping = not last
            return
        if self.streaming:
            self._put_streamed(part, last)
            return
        if self.partial is None:
            self.partial = Fragments()
        self.partial.add(part)
        if last:
            self.append(self.partial)
            self.partial = None

    def _put_streamed(self, part: str | bytes, last: bool) -> None:
        fragment = Fragments()
        fragment.add(part)
        fragment.streamed = True
        fragment.last = last
        self.append(fragment)

    def begin_stream(self) -> None:
        """Have parts wait one by one, those of a message under way included."""
        self.streaming = True
        if self.partial is not None:
            parts, self.partial = self.partial.parts, None
            for part in parts:
                self._put_streamed(part, False)

    def end_stream(self, drop: bool = False) -> None:
        """
        Have parts make up messages again.

        Args:
            drop: whether the rest of the first message isn't wanted.

        """
        self.streaming = False
        # Whoever waits has this very deque.
        waiting = list(self.messages)
        self.messages.clear()
        for message in waiting:
            if type(message) is not Fragments or not message.streamed:
                self.append(message)
            elif drop:
                drop = not message.last
            else:
                self.put_part(message.parts[0], message.last)
        self.skipping = drop

    def size(self) -> int:
        """Return how many bytes wait, with what keeping them costs."""
        messages = self.messages
        return sum(map(_sizeof, messages)) + OVERHEAD * len(messages)

    def _size_exceeds(self, limit: int) -> bool:
        """Tell whether more bytes wait; it's called with every chunk that comes."""
        messages = self.messages
        # This is much faster, and enough most of the time.
        most = _WIDEST * sum(map(len, messages))
        most += (_HEADER + OVERHEAD) * len(messages)
        return most > limit and self.size() > limit

    def is_full(self) -> bool:
        """Tell whether reading should pause."""
        waiting = len(self.messages)
        if not waiting:
            return self.partial is not None and self.partial.size > self.max_bytes
        if self.high is not None and waiting > self.high:
            return self._size_exceeds(min(self.reserve, self.max_bytes))
        return self._size_exceeds(self.max_bytes)

    def is_drained(self) -> bool:
        """Tell whether reading that paused should go on."""
        waiting = len(self.messages)
        if not waiting:
            return True
        if self.high is not None and waiting > self.low:
            return False
        return not self._size_exceeds(self.max_bytes // 2)

    def clear(self) -> None:
        """Drop the message whose end never came."""
        self.partial = None
