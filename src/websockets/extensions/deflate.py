"""Floor 2, rules: compressing messages, and the libraries that do it (RFC 1951).

zlib is always there, and does all that is asked of it. Two libraries from PyPI are
several times faster where messages are large: isal and zlib-ng. They serve when they
are installed, for messages from some size on, and only where zlib would work with its
defaults: who chooses a level or a strategy means zlib's. docs/topics/compression.rst
has the figures that this comes from.

How they work together. Small messages need a deflater that lives on, since their
history is what makes them small; that is zlib's, which takes the least memory. A large
message gets a deflater of its own, which is primed with the end of what was sent
before and gone afterwards. Only this end is kept then, up to the size of the window,
and from it the next deflater is primed in turn. The peer sees one stream of messages
within the window that was agreed, whoever made them.

A deflater takes tens of kilobytes, and more of the process that it is in: what it
leaves behind between the objects of others isn't returned to the system. So it lives
on where it is needed: the first few small messages have theirs one after the other,
too, which costs some microseconds for each.

Inflating is zlib's work, or zlib-ng's where a message is large: that refuses whatever
zlib refuses, and sometimes more, of which zlib is asked again. isal would take half the
time once more, but it also accepts what isn't compressed data.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..typing import BytesLike

__all__ = [
    "Deflater",
    "backend",
    "find_inflater",
    "find_library",
    "inflate_stream",
    "keep_end",
]

# Messages don't refer farther back than this unless they are large themselves: priming
# takes time, and gains the less the farther back.
_PRIMED_WITH = 4096

# From so many compressed bytes on, zlib-ng inflates faster.
_LARGE = 1024

# How much is given at once to an inflater that may end soon: what it leaves over is
# copied.
_STEP = 16384

# This many small messages in a row make do with a deflater for each.
_FEW = 8


class _Library(NamedTuple):
    """
    A library that takes zlib's place where that is faster.

    Attributes:
        module: what to import; it has zlib's functions.
        level: its level that compresses about as well as zlib's default one.
        smallest: from how many bytes on a message is faster there.

    """

    module: str
    level: int
    smallest: int


# The first one that is installed is used.
_LIBRARIES = {
    "isal": _Library("isal.isal_zlib", 1, 2048),
    "zlib-ng": _Library("zlib_ng.zlib_ng", 2, 4096),
}


def backend() -> str:
    """
    Return the name of the library that compresses large messages.

    That is "zlib", "isal" or "zlib-ng", as the environment variable
    ``WEBSOCKETS_DEFLATE`` and what is installed say.

    Raises:
        ValueError: if the variable has another value.
        ImportError: if it names a library that isn't installed.

    """
    return find_library(None)


def find_library(name: str | None) -> str:
    """
    Check the name of a library, or choose one.

    Args:
        name: "zlib", "isal" or "zlib-ng"; "auto" for the best one that is installed;
            None for what the environment variable ``WEBSOCKETS_DEFLATE`` says, which
            is "auto" unless it's set.

    Raises:
        ValueError: if there is no such library.
        ImportError: if it isn't installed.

    """
    if name is None:
        name = os.environ.get("WEBSOCKETS_DEFLATE") or "auto"
    if name == "zlib":
        return name
    if name == "auto":
        return _find_best()
    if name not in _LIBRARIES:
        names = ", ".join(("auto", "zlib", *_LIBRARIES))
        raise ValueError(f"the library for deflate can be {names}; got {name!r}")
    if _load(name) is None:
        raise ImportError(f"{name} isn't installed: install it, or choose zlib")
    return name


@functools.cache
def _find_best() -> str:
    """Return the name of the best library that is installed."""
    return next((name for name in _LIBRARIES if _load(name) is not None), "zlib")


@functools.cache
def _load(name: str) -> Any:
    """Import a library; return None if that's impossible."""
    try:
        return importlib.import_module(_LIBRARIES[name].module)
    except ImportError:
        return None


def find_inflater(library: str, size: int) -> Any:
    """
    Return what inflates a whole message faster than zlib.

    Args:
        library: what compresses large messages, as :func:`find_library` returns it.
        size: compressed bytes of the message.

    Returns:
        A module with zlib's functions; None if zlib had better do it.

    """
    if size < _LARGE or library == "zlib":
        return None
    return _load("zlib-ng")


def inflate_stream(
    decoder: zlib._Decompress, data: memoryview, limit: int
) -> tuple[bytes, memoryview]:
    """
    Inflate up to the end of a final block, or of the data, or up to a limit.

    Args:
        decoder: a new inflater.
        data: compressed data.
        limit: most bytes to inflate; 0 for no limit.

    Returns:
        What was inflated, and the data that is left over.

    """
    parts: list[bytes] = []
    size = 0
    while data and not decoder.eof and not 0 < limit <= size:
        step = data[:_STEP]
        parts.append(decoder.decompress(step, limit and limit - size))
        size += len(parts[-1])
        data = data[len(step) - len(decoder.unused_data) :]
    return b"".join(parts), data


class Deflater:
    """
    Compresses one message after the other.

    Args:
        bits: base-2 logarithm of the window in bytes, 8 to 15.
        forgets: whether each message must do without what was before it.
        settings: arguments for :func:`zlib.compressobj`.
        library: what to use for large messages, as :func:`find_library` returns it.

    Attributes:
        encoder: zlib's deflater; None while there is none.

    """

    __slots__ = (
        "_amid",
        "_bits",
        "_few",
        "_forgets",
        "_large",
        "_library",
        "_sent",
        "_settings",
        "_smallest",
        "encoder",
    )

    def __init__(
        self, bits: int, forgets: bool, settings: Mapping[str, Any], library: str
    ) -> None:
        self._bits = bits
        self._forgets = forgets
        self._settings = settings
        self._library = library
        self._smallest = sys.maxsize
        if library != "zlib" and _does_without_zlib(bits, settings):
            self._smallest = _LIBRARIES[library].smallest
        self.encoder: zlib._Compress | None = None
        # The deflater of a large message under way, or None.
        self._large: Any = None
        # Whether a message is under way.
        self._amid = False
        # How many more messages do without a deflater that lives on.
        self._few = _FEW
        # The end of what was sent; None where no deflater is primed with it.
        self._sent: bytearray | None = None if forgets else bytearray()

    def compress(self, data: BytesLike, fin: bool) -> bytes:
        """
        Compress a message or the next fragment of one (RFC 7692, 7.2.1).

        Args:
            data: its content; not empty.
            fin: whether the message ends here.

        Returns:
            Whole blocks. They end with an empty one, whose last four bytes are left
            out where the message ends.

        """
        if len(data) >= self._smallest and not self._amid:
            self._large = self._make_large(len(data))
        encoder = self._large or self.encoder
        if encoder is None:
            encoder = self.encoder = self._make(len(data))
        payload: bytes = encoder.compress(data)
        flushed: bytes = encoder.flush(zlib.Z_SYNC_FLUSH)
        if self._sent is not None:
            self._sent = keep_end(self._sent, data, 1 << self._bits)
        if not fin:
            self._amid = True
            return payload + flushed
        self.end_message()
        return payload + flushed[:-4]

    def end_message(self) -> None:
        """Take note that the message has ended."""
        self._amid = False
        self._large = None
        if self._forgets:
            # RFC 7692, 7.1.1. A new one costs less than a copy of an unused one.
            self.encoder = None
        elif self._few:
            self._few -= 1
            self.encoder = None

    def _make(self, size: int) -> zlib._Compress:
        """Make zlib's deflater for a message of that size."""
        bits, settings = self._bits, self._settings
        if bits == 8:
            # zlib has no window of 256 bytes.
            bits = 9
            if not _is_reach_of_nine_bits_short():
                settings = {**settings, "strategy": zlib.Z_RLE}
        if self._sent:
            settings = {**settings, "zdict": self._end_for(size)}
        if not self._few:
            # From now on it has the history itself.
            self._sent = None
        return zlib.compressobj(wbits=-bits, **settings)

    def _make_large(self, size: int) -> Any:
        """Make the deflater of a large message of that size."""
        # What it sends isn't in the history of the one that lived on, which therefore
        # goes when the message ends.
        self._few = _FEW
        arguments = [_LIBRARIES[self._library].level, zlib.DEFLATED, -self._bits]
        make = _load(self._library).compressobj
        if self._sent:
            return make(*arguments, zdict=self._end_for(size))
        if self._sent is None and not self._forgets:
            self._sent = bytearray()
        return make(*arguments)

    def _end_for(self, size: int) -> bytearray:
        """Return as much of what was sent as a message of that size gains from."""
        assert self._sent is not None
        return self._sent[-min(1 << self._bits, max(_PRIMED_WITH, 4 * size)) :]


def _does_without_zlib(bits: int, settings: Mapping[str, Any]) -> bool:
    """
    Tell whether another library can do what zlib is asked for.

    How much memory zlib may take for what it keeps doesn't matter there: they keep
    nothing.
    """
    return (
        # They have no window of 256 bytes either.
        bits > 8
        and settings.get("level", -1) == -1
        and settings.get("strategy", 0) == zlib.Z_DEFAULT_STRATEGY
    )


def keep_end(end: bytearray, data: BytesLike, window: int) -> bytearray:
    """
    Return the end of a stream: the window, and at most half more.

    Args:
        end: the same before the data; it may be changed.
        data: what the stream goes on with.
        window: bytes that must be kept.

    """
    if len(data) >= window:
        return bytearray(data[-window:])
    end += data
    if len(end) > window + (window >> 1):
        del end[:-window]
    return end


@functools.cache
def _is_reach_of_nine_bits_short() -> bool:
    """
    Tell whether zlib's smallest window is good for peers with 256 bytes.

    RFC 7692, 7.1.2, allows windows of 256 bytes. zlib refuses them in raw streams,
    and used to take 512 bytes instead without a word. But zlib's deflater never
    reaches back farther than its window less 262 bytes (zlib.h says so where it
    speaks of dictionaries), which makes 250 of 512. Other libraries take zlib's
    place, so we look: if it reaches 257 bytes back, it finds what is repeated here,
    and the result gets shorter.
    """
    # It takes a while to import, and only this question needs it.
    import hashlib

    digests = (hashlib.sha256(bytes([i])).digest() for i in range(9))
    repeated = b"".join(digests)[:257] * 2
    encoder = zlib.compressobj(wbits=-9)
    return len(encoder.compress(repeated) + encoder.flush()) > len(repeated)
