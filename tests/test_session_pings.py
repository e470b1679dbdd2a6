"""Pings in flight (websockets.session.pings)."""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from websockets.session.pings import _MOST_PINGS, PingLedger


@pytest.fixture
def pings() -> PingLedger[str]:
    pings: PingLedger[str] = PingLedger()
    pings.add(b"1", "first", 10.0)
    pings.add(b"2", None, 11.0)
    pings.add(b"3", "third", 12.0)
    return pings


class TestPings:
    def test_in_flight(self, pings: PingLedger[str]) -> None:
        assert len(pings) == 3
        assert b"1" in pings
        assert b"4" not in pings
        assert pings.latency == 0

    def test_pong(self, pings: PingLedger[str]) -> None:
        assert pings.acknowledge(b"1", 10.5) == [("first", 0.5)]
        assert pings.latency == 0.5
        assert len(pings) == 2
        assert b"1" not in pings

    def test_pong_answers_earlier_pings_too(self, pings: PingLedger[str]) -> None:
        # RFC 6455, 5.5.3.
        assert pings.acknowledge(b"3", 12.25) == [("first", 2.25), ("third", 0.25)]
        assert pings.latency == 0.25
        assert len(pings) == 0

    def test_pong_of_keepalive_ping(self, pings: PingLedger[str]) -> None:
        assert pings.acknowledge(b"2", 13.0) == [("first", 3.0)]
        assert pings.latency == 2.0
        assert b"3" in pings

    @pytest.mark.parametrize("data", [b"", b"4", b"12"])
    def test_pong_without_ping(self, data: bytes, pings: PingLedger[str]) -> None:
        assert pings.acknowledge(data, 13.0) == []
        assert pings.latency == 0
        assert len(pings) == 3

    def test_second_pong(self, pings: PingLedger[str]) -> None:
        pings.acknowledge(b"2", 13.0)
        assert pings.acknowledge(b"2", 15.0) == []
        assert pings.acknowledge(b"1", 15.0) == []
        assert pings.latency == 2.0

    def test_no_room_is_kept(self, pings: PingLedger[str]) -> None:
        pings.acknowledge(b"3", 13.0)
        assert sys.getsizeof(pings._pings) == sys.getsizeof({})

    def test_payload_may_come_again(self, pings: PingLedger[str]) -> None:
        pings.acknowledge(b"1", 13.0)
        pings.add(b"1", "again", 14.0)
        assert pings.acknowledge(b"1", 15.0) == [("third", 3.0), ("again", 1.0)]

    def test_abandon(self, pings: PingLedger[str]) -> None:
        assert pings.abandon() == ["first", "third"]
        assert len(pings) == 0
        assert pings.abandon() == []


class TestBound:
    """Some peers live and never answer a ping."""

    def test_keepalive_pings_are_forgotten(self) -> None:
        pings: PingLedger[str] = PingLedger()
        pings.add(b"first", "first", 0.0)
        for i in range(1000):
            pings.add(b"%d" % i, None, float(i))
        assert len(pings) == _MOST_PINGS
        assert b"0" not in pings
        assert b"999" in pings
        # Who waits for a pong goes on waiting.
        assert pings.abandon() == ["first"]

    def test_others_are_not(self) -> None:
        pings: PingLedger[int] = PingLedger()
        for i in range(1000):
            pings.add(b"%d" % i, i, float(i))
        assert len(pings) == 1000
        assert pings.acknowledge(b"0", 1.0) == [(0, 1.0)]


class TestPayload:
    def test_random(self) -> None:
        pings: PingLedger[str] = PingLedger()
        payloads = {pings.choose_payload() for _ in range(20)}
        assert len(payloads) == 20
        assert {len(data) for data in payloads} == {4}

    def test_none_in_flight(self, monkeypatch: pytest.MonkeyPatch) -> None:
        drawn = [b"1", b"1", b"2", b"3"]
        monkeypatch.setattr(os, "urandom", lambda size: drawn.pop(0))
        pings: PingLedger[str] = PingLedger()
        pings.add(b"1", None, 0.0)
        pings.add(b"2", None, 0.0)
        assert pings.choose_payload() == b"3"


class TestProperties:
    @given(st.permutations(range(6)))
    def test_everyone_is_told_once(self, pongs: list[int]) -> None:
        pings: PingLedger[int] = PingLedger()
        for i in range(6):
            pings.add(b"%d" % i, i, float(i))
        told: list[int] = []
        for i in pongs:
            answered = pings.acknowledge(b"%d" % i, 10.0)
            assert all(latency == 10.0 - who for who, latency in answered)
            told += [who for who, _ in answered]
        assert told == list(range(6))
