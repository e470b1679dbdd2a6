"""Who gets in to a server (websockets.asyncio.admission)."""

from __future__ import annotations

from typing import Any

import pytest

from websockets.asyncio.admission import Admission, address_of, reason_of
from websockets.exceptions import (
    InvalidHeaderValue,
    InvalidHost,
    InvalidMessage,
    InvalidMethod,
    InvalidOrigin,
    InvalidUpgrade,
    NegotiationError,
    TooManyHeaders,
)
from websockets.session.limits import Limits


class Connection:
    """A connection that remembers what was done to it; also its transport."""

    def __init__(self, name: str, host: str | None = "192.0.2.1") -> None:
        self.name = name
        self.remote_address = None if host is None else (host, 5)
        self.told: list[Any] = []
        self.transport = self

    def __repr__(self) -> str:
        return self.name

    def count_rejection(self, reason: str) -> None:
        self.told.append(reason)

    def turn_away(self, status: int, text: str, retry_after: float | None) -> None:
        self.told += [int(status), retry_after]

    def abort(self) -> None:
        self.told.append("aborted")


def connections(text: str, host: str | None = "192.0.2.1") -> list[Any]:
    return [Connection(name, host) for name in text]


class TestHalfOpen:
    def test_the_oldest_is_turned_away(self) -> None:
        admission = Admission(Limits(handshakes=2))
        a, b, c, d = connections("abcd")
        for connection in a, b, c, d:
            admission.arrived(connection)
        assert a.told == b.told == ["handshakes", 503, 5]
        assert c.told == d.told == []

    def test_what_is_complete_or_gone_does_not_count(self) -> None:
        admission = Admission(Limits(handshakes=2))
        a, b, c, d = connections("abcd")
        admission.arrived(a)
        admission.arrived(b)
        assert admission.admit(a)
        admission.left(b)
        admission.arrived(c)
        admission.arrived(d)
        assert a.told == b.told == c.told == d.told == []

    def test_no_limit(self) -> None:
        admission = Admission(Limits(handshakes=None, handshake_bytes=None))
        for connection in connections("x" * 2000):
            admission.arrived(connection)
            admission.received(connection, 2**20)
            assert connection.told == []


class TestBytes:
    def test_the_oldest_part_is_turned_away(self) -> None:
        admission = Admission(Limits(handshake_bytes=100, retry_after=None))
        a, b, c, d = connections("abcd")
        for connection in a, b, c, d:
            admission.arrived(connection)
        admission.received(b, 40)
        admission.received(c, 40)
        admission.received(b, 20)
        assert b.told == []
        admission.received(d, 1)
        # Who has sent nothing takes nothing.
        assert b.told == ["handshake_bytes", 503, None]
        assert a.told == c.told == d.told == []

    def test_as_many_as_it_takes(self) -> None:
        admission = Admission(Limits(handshake_bytes=100))
        a, b, c = connections("abc")
        for connection in a, b, c:
            admission.arrived(connection)
            admission.received(connection, 50 if connection is not c else 101)
        for connection in a, b, c:
            assert connection.told == ["handshake_bytes", 503, 5]

    def test_what_is_complete_or_gone_does_not_count(self) -> None:
        admission = Admission(Limits(handshake_bytes=100))
        a, b, c = connections("abc")
        for connection in a, b, c:
            admission.arrived(connection)
            admission.received(connection, 100)
            (admission.admit if connection is a else admission.left)(connection)
        assert a.told == b.told == c.told == []

    def test_who_is_not_half_open_does_not_count(self) -> None:
        admission = Admission(Limits(handshake_bytes=100))
        (a,) = connections("a")
        admission.received(a, 101)
        assert a.told == []


class TestConnections:
    def test_one_more(self) -> None:
        admission = Admission(Limits(connections=2, retry_after=1.5))
        a, b, c = connections("abc")
        assert admission.admit(a) and admission.admit(b)
        assert not admission.admit(c)
        assert c.told == ["connections", 503, 1.5]
        admission.left(c)
        assert not admission.admit(c)
        admission.left(a)
        assert admission.admit(c)

    def test_address(self) -> None:
        admission = Admission(Limits(connections_per_address=2, connections=3))
        a, b, c = connections("abc")
        d, e = connections("de", "192.0.2.2")
        assert admission.admit(a) and admission.admit(b)
        assert not admission.admit(c)
        assert c.told == ["address", 429, 5]
        assert admission.admit(d)
        assert not admission.admit(e)
        assert e.told == ["connections", 503, 5]
        admission.left(b)
        assert admission.admit(c)
        for connection in a, c, d:
            admission.left(connection)
        assert not admission._addresses and not admission._admitted

    def test_no_address(self) -> None:
        admission = Admission(Limits(connections_per_address=1))
        assert all(map(admission.admit, connections("abc", None)))

    def test_connections_that_never_came_may_leave(self) -> None:
        Admission().left(connections("a")[0])


class TestLeaving:
    @pytest.mark.parametrize("limit", [2, None])
    def test_not_too_many_stay(self, limit: int | None) -> None:
        admission = Admission(Limits(handshakes=limit, connections=1))
        assert admission.admit(connections("x")[0])
        refused = connections("x" * 1010)
        for connection in refused:
            assert not admission.admit(connection)
        aborted = [item for item in refused if item.told[-1] == "aborted"]
        assert aborted == refused[: -limit if limit else -1000]

    def test_who_has_left_is_left_alone(self) -> None:
        admission = Admission(Limits(handshakes=1))
        a, b, c = connections("abc")
        admission.arrived(a)
        admission.arrived(b)
        admission.left(a)
        admission.arrived(c)
        assert a.told == b.told == ["handshakes", 503, 5]


class TestAddressOf:
    @pytest.mark.parametrize(
        "one, other",
        [
            (("192.0.2.1", 5), ("192.0.2.1", 6)),
            (("2001:db8::1", 5, 0, 0), ("2001:db8::ffff:0:0:1", 6, 0, 0)),
            (("fe80::1%eth0", 5, 0, 2), ("fe80::2", 5, 0, 2)),
            (("::ffff:192.0.2.1", 5, 0, 0), ("192.0.2.1", 5)),
        ],
    )
    def test_same(self, one: Any, other: Any) -> None:
        assert address_of(one) == address_of(other)
        assert address_of(one) is not None

    @pytest.mark.parametrize(
        "one, other",
        [
            (("192.0.2.1", 5), ("192.0.2.2", 5)),
            (("2001:db8::1", 5, 0, 0), ("2001:db8:0:1::1", 5, 0, 0)),
            (("::ffff:192.0.2.1", 5, 0, 0), ("::ffff:192.0.2.2", 5, 0, 0)),
        ],
    )
    def test_different(self, one: Any, other: Any) -> None:
        assert address_of(one) != address_of(other)

    @pytest.mark.parametrize("peer", [None, "", b"\0x", "/run/socket", ()])
    def test_none(self, peer: Any) -> None:
        assert address_of(peer) is None


def caused(cause: Exception) -> Exception:
    error = InvalidMessage("did not receive a valid HTTP request")
    error.__cause__ = cause
    return error


class TestReasonOf:
    @pytest.mark.parametrize(
        "exc, reason",
        [
            (InvalidHost("a"), "host"),
            (InvalidOrigin("a"), "origin"),
            (InvalidUpgrade("Upgrade", "a"), "upgrade"),
            (InvalidHeaderValue("Sec-WebSocket-Version", "8"), "version"),
            (InvalidHeaderValue("Sec-WebSocket-Key", "8"), "malformed"),
            (NegotiationError("a"), "negotiation"),
            (caused(TooManyHeaders("a")), "too_large"),
            (caused(EOFError("a")), "lost"),
            (caused(ValueError("a")), "malformed"),
            (caused(InvalidMethod("POST")), "malformed"),
            (InvalidMessage("a"), "malformed"),
            (RuntimeError("a"), "error"),
            (None, "error"),
        ],
    )
    def test_reason(self, exc: Exception | None, reason: str) -> None:
        assert reason_of(exc) == reason
