"""Floor 3, habits: the settings of connections, checked where they come in.

One :class:`Settings` is made for each call of ``connect()`` or ``serve()`` and
shared by all connections that come from it. A wrong value fails there, with the
argument's name, and not in a connection later.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from .limits import DEFAULT_LIMITS, Limits

__all__ = ["Settings"]


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """
    How connections behave.

    Attributes:
        open_timeout: seconds for the opening handshake; None for no limit.
        ping_interval: seconds between keepalive pings, a millisecond at least; None
            for no pings.
        ping_timeout: seconds for a sign of life after a keepalive ping, and
            for a write backlog to make progress; None for no limit.
        close_timeout: seconds for the closing handshake; None for no limit.
        max_queue: messages that may wait to be received; None for no limit;
            a pair for where to pause and where to resume reading.
        read_limit: bytes that are still read when ``max_queue`` messages wait.
        write_limit: bytes that may wait to be written before sending waits;
            a pair for where to pause and where to resume.
        limits: what the peer may use; None for ``Limits()``.

    """

    open_timeout: float | None = 10
    ping_interval: float | None = 20
    ping_timeout: float | None = 20
    close_timeout: float | None = 10
    max_queue: int | tuple[int | None, int | None] | None = 32
    read_limit: int = 2**16
    write_limit: int | tuple[int, int | None] = 2**16
    limits: Limits = DEFAULT_LIMITS

    def __post_init__(self) -> None:
        """
        Check the values.

        Raises:
            TypeError: if one isn't a number, a pair or None where that fits.
            ValueError: if one is negative, or if a pair isn't one.

        """
        for name in ("open_timeout", "ping_interval", "ping_timeout", "close_timeout"):
            check_seconds(name, getattr(self, name))
        _check_pair("max_queue", self.max_queue)
        _check_pair("write_limit", self.write_limit)
        if self.read_limit is None:
            raise TypeError("read_limit must be an int, not NoneType")
        _check_count("read_limit", self.read_limit)
        if self.limits is None:
            object.__setattr__(self, "limits", DEFAULT_LIMITS)
        elif not isinstance(self.limits, Limits):
            raise TypeError(
                f"limits must be Limits or None, not {type(self.limits).__name__}"
            )


def make_settings(**values: Any) -> Settings:
    """Return the settings with these values, the same object for the same ones."""
    try:
        return _make_settings(**values)
    except TypeError:
        # A value that can't be hashed is wrong; this says which one.
        return Settings(**values)


_make_settings = functools.lru_cache(maxsize=64, typed=True)(Settings)


def check_max_size(max_size: int | tuple[int | None, int | None] | None) -> None:
    """
    Check a ``max_size`` argument.

    Raises:
        TypeError: if it isn't a number, a pair or None.
        ValueError: if it is negative.

    """
    _check_pair("max_size", max_size)


def check_seconds(name: str, value: object) -> None:
    """
    Check an argument that is a number of seconds, or None for no limit.

    Raises:
        TypeError: if it isn't.
        ValueError: if it is negative.

    """
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(
            f"{name} must be a number of seconds or None, not {type(value).__name__}"
        )
    if not value >= 0:
        raise ValueError(f"{name} must not be negative: {value}")


def _check_count(name: str, value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int or None, not {type(value).__name__}")
    if value < 0:
        raise ValueError(f"{name} must not be negative: {value}")


def _check_pair(name: str, value: object) -> None:
    if not isinstance(value, tuple):
        _check_count(name, value)
        return
    if len(value) != 2:
        raise ValueError(f"{name} must be a number or a pair, not {len(value)} values")
    for part in value:
        _check_count(name, part)
