"""What peers may use, and how it is measured (websockets.session.limits)."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from websockets.session.limits import Limits, Rate, TokenBucket

COUNTS = ["connections", "connections_per_address", "handshakes", "handshake_bytes"]
RATES = ["messages", "bytes", "controls"]


class TestRate:
    @pytest.mark.parametrize(
        "rate, size",
        [(Rate(10), 10), (Rate(0.1), 1), (Rate(10, 1), 1), (Rate(2, burst=50.5), 50.5)],
    )
    def test_burst(self, rate: Rate, size: float) -> None:
        assert rate.size == size

    @pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan")])
    def test_per_second_out_of_range(self, value: float) -> None:
        with pytest.raises(ValueError, match=f"^per_second must be more.+: {value}$"):
            Rate(value)

    @pytest.mark.parametrize("value", [0, 0.9, -1, float("inf"), float("nan")])
    def test_burst_out_of_range(self, value: float) -> None:
        with pytest.raises(ValueError, match=f"^burst must be at least 1: {value}$"):
            Rate(1, value)

    @pytest.mark.parametrize("value, kind", [("1", "str"), (True, "bool")])
    def test_wrong_type(self, value: Any, kind: str) -> None:
        with pytest.raises(TypeError, match=f"^per_second must be a .+ not {kind}$"):
            Rate(value)
        with pytest.raises(TypeError, match=f"^burst must be a number, not {kind}$"):
            Rate(1, value)


class TestLimits:
    def test_defaults(self) -> None:
        limits = Limits()
        assert limits.connections is limits.connections_per_address is None
        assert limits.handshakes == 1000
        assert limits.handshake_bytes == 16 * 1024 * 1024
        assert limits.retry_after == 5
        assert limits.messages is limits.bytes is limits.controls is None
        assert limits.on_excess == "close"

    def test_cannot_be_changed(self) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            Limits().connections = 1  # type: ignore[misc]

    def test_serves_as_key(self) -> None:
        assert {Limits(bytes=Rate(5)): 1}[Limits(bytes=Rate(5))] == 1

    @pytest.mark.parametrize("name", COUNTS)
    @pytest.mark.parametrize("value", [None, 1, 10**9])
    def test_count(self, name: str, value: int | None) -> None:
        assert getattr(Limits(**{name: value}), name) == value  # type: ignore[arg-type]

    @pytest.mark.parametrize("name", COUNTS)
    @pytest.mark.parametrize(
        "value, kind", [("1", "str"), (True, "bool"), (1.5, "float")]
    )
    def test_count_of_wrong_type(self, name: str, value: Any, kind: str) -> None:
        with pytest.raises(TypeError) as info:
            Limits(**{name: value})
        assert str(info.value) == f"{name} must be an int or None, not {kind}"

    @pytest.mark.parametrize("name", COUNTS)
    @pytest.mark.parametrize("value", [0, -1])
    def test_count_out_of_range(self, name: str, value: int) -> None:
        with pytest.raises(ValueError, match=f"^{name} must be at least 1: {value}$"):
            Limits(**{name: value})  # type: ignore[arg-type]

    @pytest.mark.parametrize("value", [None, 0, 0.5, 3600])
    def test_retry_after(self, value: float | None) -> None:
        assert Limits(retry_after=value).retry_after == value

    @pytest.mark.parametrize("value", [-1, float("inf"), float("nan")])
    def test_retry_after_out_of_range(self, value: float) -> None:
        with pytest.raises(ValueError, match=f"^retry_after must not be .+: {value}$"):
            Limits(retry_after=value)

    @pytest.mark.parametrize("value, kind", [("1", "str"), (False, "bool")])
    def test_retry_after_of_wrong_type(self, value: Any, kind: str) -> None:
        with pytest.raises(TypeError, match=f"^retry_after must be a .+ not {kind}$"):
            Limits(retry_after=value)

    @pytest.mark.parametrize("name", RATES)
    def test_rate(self, name: str) -> None:
        assert getattr(Limits(**{name: Rate(5)}), name) == Rate(5)  # type: ignore
        with pytest.raises(TypeError, match=f"^{name} must be a Rate or None, not int"):
            Limits(**{name: 5})  # type: ignore[arg-type]

    def test_on_excess(self) -> None:
        assert Limits(on_excess="pause").on_excess == "pause"
        with pytest.raises(ValueError, match='^on_excess must be .+pause": .cut.$'):
            Limits(on_excess="cut")  # type: ignore[arg-type]


class TestTokenBucket:
    def test_full_at_first(self) -> None:
        bucket = TokenBucket(Rate(1, 3), now=100.0)
        assert [bucket.spend(100.0) for _ in range(4)] == [0, 0, 0, 1.0]

    def test_fills(self) -> None:
        bucket = TokenBucket(Rate(2, 1), now=0.0)
        assert bucket.spend(0.0) == 0.0
        assert bucket.spend(0.25) == 0.25
        assert bucket.spend(1.0) == 0.0

    def test_holds_no_more_than_burst(self) -> None:
        bucket = TokenBucket(Rate(10, 2), now=0.0)
        assert bucket.spend(3600.0, 3) == 0.1

    def test_owes(self) -> None:
        bucket = TokenBucket(Rate(100), now=0.0)
        assert bucket.spend(0.0, 1100) == 10.0
        assert bucket.spend(9.0, 0) == 1.0
        assert bucket.spend(10.0, 0) == 0.0

    def test_time_going_back_gives_nothing(self) -> None:
        bucket = TokenBucket(Rate(1), now=10.0)
        assert bucket.spend(10.0) == 0.0
        assert bucket.spend(0.0) == 1.0
        assert bucket.spend(10.0, 0) == 1.0

    @given(
        st.lists(st.tuples(st.floats(0, 10), st.floats(0, 100)), max_size=20),
        st.floats(0.01, 100),
        st.floats(1, 100),
    )
    def test_never_lets_more_through(
        self, events: list[tuple[float, float]], per_second: float, burst: float
    ) -> None:
        """What goes through without a wait is at most the burst and the rate."""
        bucket = TokenBucket(Rate(per_second, burst), now=0.0)
        now = through = 0.0
        for pause, amount in events:
            now += pause
            through += amount
            wait = bucket.spend(now, amount)
            assert wait > 0.0 or through <= (burst + now * per_second) * 1.000001
            # Having waited, one may go on.
            now += wait * 1.000001
            assert bucket.spend(now, 0.0) < 0.000001
