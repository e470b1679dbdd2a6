"""Floor 1, bytes: the date as HTTP writes it (RFC 9110, 5.6.7).

The only place below the engine that looks at the clock: a response says when it was
made, and nobody who drives a connection should have to tell it the date. The
``email`` package can write dates too, but takes longer to import than all that a
server consists of.
"""

from __future__ import annotations

import functools
import math
import time

__all__ = ["format_date"]

# Whatever the locale, they are English.
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)


def format_date(seconds: float | None = None) -> str:
    """Return a date as headers have it, such as ``Sun, 06 Nov 1994 08:49:37 GMT``.

    Args:
        seconds: the date in seconds since 1970; ``None`` for now.

    """
    return _format_second(math.floor(time.time() if seconds is None else seconds))


@functools.lru_cache(maxsize=1)
def _format_second(seconds: int) -> str:
    """Return the date; servers ask for the same one many times in a row."""
    date = time.gmtime(seconds)
    day, month = _DAYS[date.tm_wday], _MONTHS[date.tm_mon - 1]
    clock = f"{date.tm_hour:02}:{date.tm_min:02}:{date.tm_sec:02}"
    return f"{day}, {date.tm_mday:02} {month} {date.tm_year:04} {clock} GMT"
