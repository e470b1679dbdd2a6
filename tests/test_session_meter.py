"""Whether a session receives more than it may."""

from __future__ import annotations

import pytest

from byhand import CLIENT, frame
from websockets.protocol import Protocol, Side, State
from websockets.session import Clock, Inbox, Limits, Rate, Session
from websockets.session.meter import Meter, make_meter


@pytest.fixture
def session() -> Session:
    protocol = Protocol(Side.CLIENT, state=State.OPEN)
    protocol.emits_frames = False
    return Session(protocol, Inbox(), Clock())


def receive(session: Session, *frames: tuple[int, bytes]) -> None:
    session.receive(b"".join(frame(CLIENT, *each) for each in frames))


def test_nothing_to_meter(session: Session) -> None:
    assert make_meter(Limits(), session, 0) is None


@pytest.mark.parametrize(
    ("limits", "frames", "owed"),
    [
        (Limits(messages=Rate(10, 2)), [(0x81, b"a")] * 3, 0.1),
        # Fragments count, lest a message be a million of them.
        (Limits(messages=Rate(10, 2)), [(1, b"a"), (0, b"b"), (0x80, b"c")], 0.1),
        (Limits(controls=Rate(4, 1)), [(0x89, b""), (0x8A, b""), (0x8A, b"")], 0.5),
        (Limits(bytes=Rate(100)), [(0x82, b"x" * 123)], 0.25),
        (Limits(bytes=Rate(100)), [(0x89, b"x" * 123)], 0.25),
    ],
    ids=["messages", "fragments", "controls", "bytes", "bytes of controls"],
)
def test_rates(
    session: Session, limits: Limits, frames: list[tuple[int, bytes]], owed: float
) -> None:
    meter = make_meter(limits, session, 0)
    assert meter is not None
    assert meter.closes
    receive(session, *frames)
    name = next(
        name for name in ("messages", "bytes", "controls") if getattr(limits, name)
    )
    assert meter.spend(session, 0) == (pytest.approx(owed), name)
    # What was seen once isn't counted again.
    assert meter.spend(session, 100) == (0, "")
    receive(session, (0x81, b""))
    assert meter.spend(session, 100) == (0, "")


def test_what_came_before_is_not_counted(session: Session) -> None:
    receive(session, *[(0x81, b"a")] * 10)
    meter = Meter(Limits(messages=Rate(1)), session, 0)
    assert meter.spend(session, 0) == (0, "")
    receive(session, *[(0x81, b"a")] * 2)
    assert meter.spend(session, 0) == (1, "messages")


def test_the_longest_wait_counts(session: Session) -> None:
    limits = Limits(messages=Rate(1), controls=Rate(10), on_excess="pause")
    meter = Meter(limits, session, 0)
    assert not meter.closes
    receive(session, *[(0x81, b"a")] * 3, *[(0x8A, b"a")] * 15)
    assert meter.spend(session, 0) == (2, "messages")
