"""How long to wait before connecting again (websockets.session.backoff)."""

from __future__ import annotations

import random

import pytest

from websockets.session import backoff as module
from websockets.session.backoff import LIVED, Backoff


@pytest.fixture(autouse=True)
def seed() -> None:
    random.seed(0)


def limits(backoff: Backoff, number: int) -> list[float]:
    found = []
    for _ in range(number):
        found.append(round(backoff.limit(), 3))
        backoff.failed()
    return found


class TestLimits:
    def test_defaults(self) -> None:
        assert limits(Backoff(), 10) == [
            *[5, 3.1, 5.016, 8.116, 13.131, 21.246],
            *[34.376, 55.62, 89.994, 90.0],
        ]

    def test_arguments(self) -> None:
        backoff = Backoff(initial=1, minimum=2, maximum=10, factor=2)
        assert limits(backoff, 6) == [1, 2, 4, 8, 10, 10]
        assert backoff.attempts == 6

    def test_maximum_holds_from_the_beginning(self) -> None:
        assert limits(Backoff(maximum=2), 3) == [2, 2, 2]

    def test_many_attempts(self) -> None:
        backoff = Backoff()
        backoff.attempts = 10**9
        assert backoff.limit() == 90.0

    def test_large_factor(self) -> None:
        assert limits(Backoff(factor=1e200), 4) == [5, 3.1, 90.0, 90.0]


class TestDelays:
    @pytest.mark.parametrize("attempts", [0, 1, 5, 100])
    def test_distribution(self, attempts: int) -> None:
        delays = []
        for _ in range(2000):
            backoff = Backoff()
            backoff.attempts = attempts
            limit = backoff.limit()
            delays.append(backoff.failed() / limit)
            assert backoff.attempts == attempts + 1
        assert 0.2 <= min(delays) < 0.22
        assert 0.98 < max(delays) <= 1
        # Evenly between: each tenth has its share of the delays.
        for tenth in range(8):
            low = 0.2 + tenth / 10
            share = sum(low <= delay < low + 0.1 for delay in delays)
            assert 180 < share < 320

    def test_clients_do_not_wait_alike(self) -> None:
        assert len({Backoff().failed() for _ in range(100)}) == 100


class TestEnded:
    def test_connection_that_lived(self) -> None:
        backoff = Backoff()
        limits(backoff, 5)
        assert backoff.ended(LIVED) == 0
        assert backoff.attempts == 0
        assert backoff.limit() == 5

    @pytest.mark.parametrize("lived", [0, LIVED - 0.001])
    def test_connection_that_did_not(self, lived: float) -> None:
        # A server that accepts and closes at once is not one that works.
        backoff = Backoff()
        limits(backoff, 3)
        assert 0.2 * 8.11 <= backoff.ended(lived) <= 8.117
        assert backoff.attempts == 4


class TestEnvironment:
    def test_number(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WEBSOCKETS_BACKOFF_MAX_DELAY", "7.5")
        assert module._env_seconds("MAX_DELAY", 90.0) == 7.5

    def test_default(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("WEBSOCKETS_BACKOFF_MAX_DELAY", raising=False)
        assert module._env_seconds("MAX_DELAY", 90.0) == 90.0

    def test_nonsense(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WEBSOCKETS_BACKOFF_MAX_DELAY", "soon")
        with pytest.raises(ValueError) as info:
            module._env_seconds("MAX_DELAY", 90.0)
        assert str(info.value) == (
            "environment variable WEBSOCKETS_BACKOFF_MAX_DELAY must be a number; "
            "got 'soon'"
        )
