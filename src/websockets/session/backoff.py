"""Floor 3, habits: how long to wait before connecting again.

Delays grow by a factor from one attempt to the next, and each is drawn at random
below that, so that clients which lost the same server don't come back all at once
(RFC 6455, 7.2.3). They shrink again only after a connection that lived for a
while: a server that accepts and closes at once is not a server that works.
"""

from __future__ import annotations

import os

__all__ = ["Backoff"]


def _env_seconds(name: str, default: float) -> float:
    """Return a number that the environment may set."""
    text = os.environ.get(f"WEBSOCKETS_BACKOFF_{name}")
    if text is None:
        return default
    try:
        return float(text)
    except ValueError:
        raise ValueError(
            f"environment variable WEBSOCKETS_BACKOFF_{name} must be a number; "
            f"got {text!r}"
        ) from None


INITIAL_DELAY = _env_seconds("INITIAL_DELAY", 5)
MIN_DELAY = _env_seconds("MIN_DELAY", 3.1)
MAX_DELAY = _env_seconds("MAX_DELAY", 90.0)
FACTOR = _env_seconds("FACTOR", 1.618)

#: Seconds after which a connection counts as one that worked.
LIVED = 10.0

#: No delay is a smaller part of its limit than this.
_LEAST_PART = 0.2


class Backoff:
    """
    Delays between attempts to connect.

    Args:
        initial: most seconds before the second attempt.
        minimum: most seconds before the third.
        maximum: most seconds before any attempt.
        factor: how much that grows from attempt to attempt.

    Attributes:
        attempts: how many attempts failed in a row.

    """

    def __init__(
        self,
        initial: float = INITIAL_DELAY,
        minimum: float = MIN_DELAY,
        maximum: float = MAX_DELAY,
        factor: float = FACTOR,
    ) -> None:
        self.initial = initial
        self.minimum = minimum
        self.maximum = maximum
        self.factor = factor
        self.attempts = 0

    def limit(self) -> float:
        """Return the most seconds that the next delay may have."""
        if self.attempts == 0:
            return min(self.initial, self.maximum)
        try:
            return min(self.minimum * self.factor ** (self.attempts - 1), self.maximum)
        except OverflowError:
            return self.maximum

    def failed(self) -> float:
        """Note that an attempt failed; return how many seconds to wait."""
        # It takes a while to import, and most attempts succeed.
        import random

        limit = self.limit()
        self.attempts += 1
        return limit * random.uniform(_LEAST_PART, 1)

    def ended(self, lived: float) -> float:
        """
        Note that a connection has ended; return how many seconds to wait.

        Args:
            lived: how many seconds it was open.

        """
        if lived < LIVED:
            return self.failed()
        self.attempts = 0
        return 0.0
