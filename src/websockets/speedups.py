"""Floor 1, bytes: the few operations that touch every byte, in plain Python.

Where the package was built with a C compiler, an extension of the same name takes
this module's place. Tests hold the two to the same behaviour.
"""

from __future__ import annotations

import struct

from .typing import BytesLike

__all__ = [
    "Payload",
    "apply_mask",
    "build_frame",
    "build_masked_frame",
    "compiled",
    "take_bytes",
    "take_text",
]

#: Whether this is the extension.
compiled = False

# From this many bytes on, four translations beat one exclusive or of integers:
# measured 0.4 against 5 µs for 16 bytes, 0.8 against 5 for 256, 14 against 14
# for 8000, 114 against 75 for 64 KiB and 3400 against 1200 for 1 MiB.
_LARGE = 8000

_ALL_BYTES = bytes(range(256))

_from_bytes = int.from_bytes

# Numbers by which to multiply a mask to have it so many times, for short payloads: 0.1
# against 0.2 µs for repeating its bytes. All of them take 25 KiB.
_FEW = 100
_ONES = [0] * _FEW

# Headers of short unmasked frames by first byte and length. Few first bytes are ever
# used; all together would take a megabyte, and milliseconds of the import.
_SHORT_HEADERS: list[list[bytes]] = [[]] * 256


def apply_mask(data: BytesLike, mask: BytesLike) -> bytes:
    """Mask or unmask a payload (RFC 6455, 5.3).

    Args:
        data: the payload.
        mask: the four bytes of the masking key.

    Returns:
        the masked payload, of the same length.

    Raises:
        ValueError: the mask isn't four bytes long.

    """
    if len(mask) != 4:
        raise ValueError(f"mask must contain 4 bytes; got {len(mask)}")
    size = len(data)
    if size >= _LARGE:
        return _mask_large(data, bytes(mask))
    # Payload and repeated mask are taken for two long integers.
    words = size + 3 >> 2
    if words < _FEW:
        long_mask = _from_bytes(mask, "little") * (_ONES[words] or _repeat(words))
    else:
        long_mask = _from_bytes(bytes(mask) * words, "little")
    masked = _from_bytes(data, "little") ^ long_mask
    return masked.to_bytes(words << 2, "little")[:size]


def _mask_large(data: BytesLike, mask: bytes) -> bytes:
    """Translate every fourth byte with a table made for its mask byte."""
    masked = bytearray(data)
    for start, byte in enumerate(mask):
        table = apply_mask(_ALL_BYTES, bytes([byte]) * 4)
        masked[start::4] = masked[start::4].translate(table)
    return bytes(masked)


class Payload:
    """The payload of a frame that comes in parts.

    It is gathered in one place, which is never larger than eight times what has
    come, or 64 KiB.

    Args:
        size: how many bytes it is going to have.
        mask: the four bytes of the masking key; empty if it isn't masked.

    """

    __slots__ = ("_data", "_mask", "_received", "_size")

    def __init__(self, size: int, mask: bytes) -> None:
        if len(mask) not in (0, 4):
            raise ValueError(f"mask must contain 4 bytes; got {len(mask)}")
        self._size = size
        self._mask = mask
        self._received = 0
        self._data = bytearray()

    def __len__(self) -> int:
        """Return how many bytes have come."""
        return self._received

    def append(self, data: bytearray, start: int, stop: int) -> None:
        """Append a part of a buffer, and unmask it.

        Args:
            data: the buffer.
            start: where the part begins.
            stop: where it ends.

        """
        part = memoryview(data)[start:stop]
        self._reserve(len(part))
        self._data[self._received : self._received + len(part)] = part
        self.filled(len(part))

    def room(self) -> memoryview:
        """Return a place for bytes that come next, as they were sent."""
        if self._received == len(self._data):
            self._reserve(1)
        return memoryview(self._data)[self._received :]

    def filled(self, size: int) -> None:
        """Take bytes that are in their place, and unmask them.

        Args:
            size: how many.

        """
        start, stop = self._received, self._received + size
        if not 0 <= size <= len(self._data) - start:
            raise IndexError("payload is outside of the buffer")
        self._received = stop
        if self._mask:
            # The key goes on where the last part left it.
            offset = start & 3
            key = self._mask[offset:] + self._mask[:offset]
            self._data[start:stop] = apply_mask(self._data[start:stop], key)

    def _reserve(self, wanted: int) -> None:
        """Have room for so many bytes more."""
        wanted += self._received
        if wanted > self._size:
            raise IndexError("payload is outside of the buffer")
        if wanted > len(self._data):
            # Whoever has a place for bytes keeps the old one.
            larger = bytearray(min(self._size, max(8 * wanted, 65536)))
            larger[: self._received] = self._data[: self._received]
            self._data = larger

    def part(self, start: int) -> memoryview:
        """Return what has come from ``start`` on, unmasked."""
        return memoryview(self._data)[start : self._received]

    def take_bytes(self) -> bytes:
        """Return the payload, when all of it has come."""
        self._check_whole()
        return bytes(self._data)

    def take_text(self) -> str:
        """Return the payload as text, when all of it has come.

        Raises:
            UnicodeDecodeError: if it isn't UTF-8.

        """
        self._check_whole()
        return str(self._data, "utf-8")

    def _check_whole(self) -> None:
        if self._received != self._size:
            raise IndexError("the payload isn't complete")


def build_frame(first: int, data: BytesLike) -> bytes:
    """Build an unmasked frame (RFC 6455, 5.2).

    Args:
        first: its first byte: FIN, the reserved bits and the opcode.
        data: its payload.

    """
    size = len(data)
    if size < 126:
        return (_SHORT_HEADERS[first] or _make_headers(first))[size] + data
    if size < 65536:
        return struct.pack("!BBH", first, 126, size) + data
    return struct.pack("!BBQ", first, 127, size) + data


def _repeat(words: int) -> int:
    """Make the number that repeats a mask so many times, and keep it."""
    number = _ONES[words] = _from_bytes(b"\1\0\0\0" * words, "little")
    return number


def _make_headers(first: int) -> list[bytes]:
    """Make the headers of short frames with this first byte, and keep them."""
    # Stored when they're complete: other threads build frames, too.
    headers = _SHORT_HEADERS[first] = [bytes((first, size)) for size in range(126)]
    return headers


def build_masked_frame(first: int, data: BytesLike, key: bytes) -> bytes:
    """Build a masked frame (RFC 6455, 5.2 and 5.3).

    Args:
        first: its first byte: FIN, the reserved bits and the opcode.
        data: its payload.
        key: the four bytes of the masking key.

    """
    size = len(data)
    if size < 126:
        header = bytes((first, 0x80 | size))
    elif size < 65536:
        header = struct.pack("!BBH", first, 0xFE, size)
    else:
        header = struct.pack("!BBQ", first, 0xFF, size)
    return header + key + apply_mask(data, key)


def take_bytes(data: bytearray, start: int, stop: int, key: int) -> bytes:
    """Copy a payload out of a buffer.

    Args:
        data: the buffer.
        start: where the payload begins.
        stop: where it ends.
        key: where its masking key begins; negative if it isn't masked.

    """
    if key < 0:
        return bytes(memoryview(data)[start:stop])
    return apply_mask(data[start:stop], data[key : key + 4])


def take_text(data: bytearray, start: int, stop: int, key: int) -> str:
    """Decode a payload out of a buffer.

    Args:
        data: the buffer; the payload in it may be changed.
        start: where the payload begins.
        stop: where it ends.
        key: where its masking key begins; negative if it isn't masked.

    Raises:
        UnicodeDecodeError: if it isn't UTF-8.

    """
    if key < 0:
        return str(memoryview(data)[start:stop], "utf-8")
    return str(take_bytes(data, start, stop, key), "utf-8")
