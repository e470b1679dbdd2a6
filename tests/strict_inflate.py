"""A second opinion on DEFLATE (RFC 1951): slow, plain, and strict about distances.

zlib's inflater doesn't notice when a stream refers farther back than the window it was
told of. This one does, which shows whether a peer with a small window could follow.
It shares no code and no tables with zlib.
"""

from __future__ import annotations

from collections.abc import Sequence

# RFC 1951, 3.2.5: the base of each code for a length or a distance, and extra bits.
_LENGTHS = [(3 + i, 0) for i in range(8)]
for _bits in range(1, 6):
    for _ in range(4):
        _base, _extra = _LENGTHS[-1]
        _LENGTHS.append((_base + (1 << _extra), _bits))
_LENGTHS.append((258, 0))
_DISTANCES = [(1 + i, 0) for i in range(4)]
for _bits in range(1, 14):
    for _ in range(2):
        _base, _extra = _DISTANCES[-1]
        _DISTANCES.append((_base + (1 << _extra), _bits))
# RFC 1951, 3.2.7.
_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)

_Codes = dict[tuple[int, int], int]


def _make_codes(lengths: Sequence[int]) -> _Codes:
    """Number the codes of these lengths (RFC 1951, 3.2.2)."""
    codes: _Codes = {}
    code = 0
    for length in range(1, 16):
        for symbol, its_length in enumerate(lengths):
            if its_length == length:
                codes[length, code] = symbol
                code += 1
        code <<= 1
    return codes


_FIXED = (
    _make_codes([8] * 144 + [9] * 112 + [7] * 24 + [8] * 8),
    _make_codes([5] * 32),
)


class StrictInflater:
    """
    Inflates streams that go on from message to message.

    Args:
        window: how many bytes back a stream may refer.

    Attributes:
        farthest: how far back it has referred.
        finals: how many final blocks there were.

    """

    def __init__(self, window: int) -> None:
        self.window = window
        self.output = bytearray()
        self.farthest = 0
        self.finals = 0

    def inflate(self, data: bytes) -> bytes:
        """Inflate whole blocks, up to the end of the data."""
        self._data = data
        self._pos = 0
        start = len(self.output)
        while self._pos < 8 * len(data):
            self._read_block()
        return bytes(self.output[start:])

    def _bits(self, count: int) -> int:
        value = 0
        for i in range(count):
            byte = self._data[self._pos >> 3]
            value |= (byte >> (self._pos & 7) & 1) << i
            self._pos += 1
        return value

    def _symbol(self, codes: _Codes) -> int:
        code = 0
        for length in range(1, 16):
            code = code << 1 | self._bits(1)
            if (length, code) in codes:
                return codes[length, code]
        raise ValueError("no such code")

    def _read_block(self) -> None:
        final = self._bits(1)
        kind = self._bits(2)
        if kind == 0:
            self._read_stored()
        elif kind == 1:
            self._read_codes(*_FIXED)
        else:
            assert kind == 2, "reserved block type"
            self._read_codes(*self._read_tables())
        if final:
            self.finals += 1
            self._pos += -self._pos % 8

    def _read_stored(self) -> None:
        self._pos += -self._pos % 8
        size = self._bits(16)
        assert self._bits(16) == size ^ 0xFFFF, "lengths don't match"
        self.output += bytes(self._bits(8) for _ in range(size))

    def _read_tables(self) -> tuple[_Codes, _Codes]:
        literals, distances, orders = (self._bits(n) + m for n, m in _COUNTS)
        lengths = [0] * 19
        for symbol in _ORDER[:orders]:
            lengths[symbol] = self._bits(3)
        codes = _make_codes(lengths)
        lengths = []
        while len(lengths) < literals + distances:
            symbol = self._symbol(codes)
            if symbol < 16:
                lengths.append(symbol)
            elif symbol == 16:
                lengths += [lengths[-1]] * (3 + self._bits(2))
            elif symbol == 17:
                lengths += [0] * (3 + self._bits(3))
            else:
                lengths += [0] * (11 + self._bits(7))
        return _make_codes(lengths[:literals]), _make_codes(lengths[literals:])

    def _read_codes(self, literals: _Codes, distances: _Codes) -> None:
        while (symbol := self._symbol(literals)) != 256:
            if symbol < 256:
                self.output.append(symbol)
                continue
            base, extra = _LENGTHS[symbol - 257]
            length = base + self._bits(extra)
            base, extra = _DISTANCES[self._symbol(distances)]
            self._copy(base + self._bits(extra), length)

    def _copy(self, distance: int, length: int) -> None:
        self.farthest = max(self.farthest, distance)
        assert distance <= self.window, f"refers {distance} bytes back"
        assert distance <= len(self.output), "refers to before the beginning"
        for _ in range(length):
            self.output.append(self.output[-distance])


_COUNTS = ((5, 257), (5, 1), (4, 4))
