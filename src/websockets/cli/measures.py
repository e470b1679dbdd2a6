"""Floor 5, faces: many durations in little memory, and tables of them."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Sequence

__all__ = ["Durations", "table"]

# Bits of a duration that are kept: it's rounded down by less than a thousandth.
_PRECISION = 11


class Durations:
    """
    A histogram of durations.

    However many are added, it has no more than a thousand entries for each
    doubling of the duration.

    Attributes:
        count: how many were added.

    """

    def __init__(self) -> None:
        self._counts: collections.Counter[int] = collections.Counter()
        self._total = 0
        self._least: int | None = None
        self._most = 0
        self.count = 0

    def add(self, duration: int) -> None:
        """Add a duration in nanoseconds."""
        shift = max(duration.bit_length() - _PRECISION, 0)
        self._counts[duration >> shift << shift] += 1
        self._total += duration
        self.count += 1
        self._most = max(self._most, duration)
        if self._least is None or duration < self._least:
            self._least = duration

    def percentile(self, percent: float) -> float:
        """Return the seconds that so many percent didn't exceed."""
        wanted = self.count * percent / 100
        seen = 0
        for duration in sorted(self._counts):
            seen += self._counts[duration]
            if seen >= wanted:
                return duration / 1e9
        return 0.0

    def summarize(self, percents: Iterable[float]) -> dict[str, float]:
        """Return minimum, mean, percentiles and maximum, in seconds."""
        return {
            "minimum": (self._least or 0) / 1e9,
            "mean": self._total / max(self.count, 1) / 1e9,
            **{f"{percent:g}%": self.percentile(percent) for percent in percents},
            "maximum": self._most / 1e9,
        }


def table(rows: Sequence[tuple[str, str]]) -> str:
    """Return names and values, one pair to a line, in two columns."""
    names = max(len(name) for name, _ in rows)
    values = max(len(value.split(" ")[0]) for _, value in rows)
    lines = []
    for name, value in rows:
        number, space, unit = value.partition(" ")
        lines.append(f"{name:{names}}  {number:>{values}}{space}{unit}")
    return "\n".join(lines)
