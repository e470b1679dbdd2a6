"""The next deadline and what it means (websockets.session.clock)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from websockets.session.clock import LEAST_INTERVAL, NEVER, Alarm, Clock

OPEN_TIMEOUT, SEND_PING, PING_TIMEOUT, STALLED, CLOSE_TIMEOUT, READ_AGAIN = Alarm


def due(
    clock: Clock, now: float, progress: int = 0, reading_paused: bool = False
) -> list[Alarm]:
    return clock.due(now, progress, reading_paused)


def opened(now: float = 0.0, **kwargs: float | None) -> Clock:
    clock = Clock(**{"ping_interval": 20, "ping_timeout": 10, **kwargs})
    clock.opened(now)
    return clock


class TestOpening:
    def test_defaults(self) -> None:
        clock = Clock()
        assert (clock.ping_interval, clock.ping_timeout) == (20, 20)
        assert clock.close_timeout == 10
        assert not clock.heard

    def test_timeout(self) -> None:
        clock = Clock()
        assert clock.deadline() == NEVER
        clock.connecting(100.0, 10)
        assert clock.deadline() == 110.0
        assert due(clock, 109.9) == []
        assert due(clock, 110.0) == [OPEN_TIMEOUT]
        # Once is enough.
        assert clock.deadline() == NEVER
        assert due(clock, 111.0) == []

    def test_no_timeout(self) -> None:
        clock = Clock()
        clock.connecting(100.0, None)
        assert clock.deadline() == NEVER

    def test_opened(self) -> None:
        clock = Clock(ping_interval=None)
        clock.connecting(100.0, 10)
        clock.opened(105.0)
        assert clock.deadline() == NEVER

    def test_failed(self) -> None:
        clock = Clock(close_timeout=3)
        clock.connecting(100.0, 10)
        clock.closing(101.0)
        assert clock.deadline() == 104.0


class TestKeepalive:
    def test_ping_goes_out_every_interval(self) -> None:
        clock = opened(100.0)
        for number in range(1, 10):
            assert clock.deadline() == 100.0 + 20 * number
            assert due(clock, 100.0 + 20 * number - 0.1) == []
            assert due(clock, 100.0 + 20 * number) == [SEND_PING]
            assert clock.deadline() == 100.0 + 20 * number + 10
            clock.heard = True
            assert due(clock, clock.deadline()) == []

    def test_delays_do_not_add_up(self) -> None:
        clock = opened()
        assert due(clock, 21.5) == [SEND_PING]
        clock.heard = True
        assert due(clock, 31.5) == []
        assert clock.deadline() == 40.0

    def test_pings_missed_in_a_long_stall_are_not_made_up_for(self) -> None:
        clock = opened()
        assert due(clock, 500.0) == [SEND_PING]
        assert due(clock, 500.0) == []
        assert clock.deadline() == 510.0
        clock.heard = True
        assert due(clock, 510.0) == []
        assert clock.deadline() == 520.0

    def test_an_interval_of_nothing(self) -> None:
        clock = opened(100.0, ping_interval=0)
        assert clock.deadline() == 100.0 + LEAST_INTERVAL
        now = clock.deadline()
        assert due(clock, now) == [SEND_PING]
        assert due(clock, now) == []
        assert clock.deadline() > now

    def test_no_pings(self) -> None:
        clock = opened(ping_interval=None)
        assert clock.deadline() == NEVER
        assert due(clock, 10**9) == []

    def test_interval_taken_away(self) -> None:
        clock = opened()
        clock.ping_interval = None
        assert due(clock, 20.0) == [SEND_PING]
        assert clock.deadline() == NEVER


class TestLiveness:
    def test_silent_peer(self) -> None:
        clock = opened()
        clock.heard = True
        assert due(clock, 20.0) == [SEND_PING]
        # What came before the ping doesn't count.
        assert not clock.heard
        assert due(clock, 29.9) == []
        assert due(clock, 30.0) == [PING_TIMEOUT]
        assert clock.deadline() == 40.0

    def test_any_byte_is_life(self) -> None:
        # Not only the pong: it may be behind a large message.
        clock = opened()
        due(clock, 20.0)
        clock.heard = True
        assert due(clock, 30.0) == []
        assert due(clock, 40.0) == [SEND_PING]
        assert due(clock, 50.0) == [PING_TIMEOUT]

    def test_no_timeout(self) -> None:
        # Pings go out for the latency; nobody is cut.
        clock = opened(ping_timeout=None)
        for number in range(1, 5):
            assert due(clock, 20.0 * number) == [SEND_PING]
            assert clock.deadline() == 20.0 * (number + 1)

    def test_timeout_longer_than_interval(self) -> None:
        clock = opened(ping_interval=20, ping_timeout=50)
        assert due(clock, 20.0) == [SEND_PING]
        assert due(clock, 40.0) == [SEND_PING]
        assert due(clock, 60.0) == [SEND_PING]
        # Later pings don't put it off.
        assert due(clock, 70.0) == [PING_TIMEOUT]

    def test_life_between_later_pings(self) -> None:
        clock = opened(ping_interval=20, ping_timeout=50)
        due(clock, 20.0)
        clock.heard = True
        due(clock, 40.0)
        assert clock.heard
        due(clock, 60.0)
        assert due(clock, 70.0) == []
        assert due(clock, 80.0) == [SEND_PING]
        assert not clock.heard
        assert due(clock, 130.0) == [PING_TIMEOUT, SEND_PING]

    def test_nothing_is_held_against_the_peer_while_we_do_not_read(self) -> None:
        clock = opened()
        due(clock, 20.0)
        for now in 30.0, 40.0, 50.0, 60.0:
            assert PING_TIMEOUT not in due(clock, now, reading_paused=True)
        # From when we read again, the peer has its time.
        clock.heard = True
        assert PING_TIMEOUT not in due(clock, 70.0)

    def test_silence_after_we_read_again(self) -> None:
        clock = opened(ping_interval=1000)
        due(clock, 1000.0)
        assert due(clock, 1010.0, reading_paused=True) == []
        assert clock.deadline() == 1020.0
        assert due(clock, 1020.0) == [PING_TIMEOUT]

    def test_timeout_taken_away(self) -> None:
        clock = opened()
        due(clock, 20.0)
        clock.ping_timeout = None
        assert due(clock, 30.0) == []
        assert clock.deadline() == 40.0


class TestStall:
    def test_no_progress(self) -> None:
        clock = opened(ping_interval=None)
        clock.writing_paused(100.0, 5000)
        assert clock.deadline() == 110.0
        assert due(clock, 109.9, 5000) == []
        assert due(clock, 110.0, 5000) == [STALLED]
        assert clock.deadline() == NEVER

    def test_a_byte_is_progress(self) -> None:
        clock = opened(ping_interval=None)
        clock.writing_paused(100.0, 5000)
        for number in range(1, 5):
            assert due(clock, 100.0 + 10 * number, 5000 + number) == []
            assert clock.deadline() == 110.0 + 10 * number
        assert due(clock, 150.0, 5004) == [STALLED]

    def test_backlog_that_grows_is_no_progress(self) -> None:
        # TLS adds bytes of its own to what waits.
        clock = opened(ping_interval=None)
        clock.writing_paused(100.0, 5000)
        assert due(clock, 110.0, 4990) == [STALLED]

    def test_all_has_left(self) -> None:
        clock = opened(ping_interval=None)
        clock.writing_paused(100.0, 5000)
        clock.writing_resumed()
        assert clock.deadline() == NEVER
        assert due(clock, 200.0, 5000) == []

    def test_what_is_received_does_not_count(self) -> None:
        # A peer that sends and doesn't read is cut too.
        clock = opened(ping_interval=None)
        clock.writing_paused(100.0, 0)
        clock.heard = True
        assert due(clock, 110.0) == [STALLED]

    def test_our_own_pause_does_not_count(self) -> None:
        clock = opened(ping_interval=None)
        clock.writing_paused(100.0, 0)
        assert due(clock, 110.0, reading_paused=True) == [STALLED]

    def test_no_timeout(self) -> None:
        clock = opened(ping_interval=None, ping_timeout=None)
        clock.writing_paused(100.0, 0)
        assert clock.deadline() == NEVER

    @pytest.mark.parametrize("progress", [0, 1])
    def test_timeout_taken_away(self, progress: int) -> None:
        clock = opened(ping_interval=None)
        clock.writing_paused(100.0, 0)
        clock.ping_timeout = None
        assert due(clock, 110.0, progress) == []
        assert clock.deadline() == NEVER

    def test_goes_on_while_closing(self) -> None:
        clock = opened(close_timeout=None)
        clock.writing_paused(100.0, 0)
        clock.closing(101.0)
        assert due(clock, 110.0) == [STALLED]


class TestClosing:
    def test_timeout(self) -> None:
        clock = opened(close_timeout=5)
        due(clock, 20.0)
        clock.closing(21.0)
        assert clock.deadline() == 26.0
        assert due(clock, 25.9) == []
        assert due(clock, 26.0) == [CLOSE_TIMEOUT]
        assert clock.deadline() == NEVER

    def test_closing_again_does_not_put_it_off(self) -> None:
        clock = opened(close_timeout=5)
        clock.closing(100.0)
        clock.closing(104.0)
        assert clock.deadline() == 105.0

    def test_no_timeout(self) -> None:
        clock = opened(close_timeout=None)
        clock.closing(100.0)
        assert clock.deadline() == NEVER

    def test_timeout_may_be_zero(self) -> None:
        clock = opened(close_timeout=0)
        clock.closing(100.0)
        assert due(clock, 100.0) == [CLOSE_TIMEOUT]

    def test_closed(self) -> None:
        clock = opened()
        clock.connecting(0.0, 5)
        due(clock, 20.0)
        clock.writing_paused(20.0, 0)
        clock.closing(21.0)
        clock.closed()
        assert clock.deadline() == NEVER
        assert due(clock, 10**9) == []


class TestProperties:
    def test_several_at_once(self) -> None:
        clock = opened(ping_interval=20, ping_timeout=20)
        due(clock, 20.0)
        clock.writing_paused(20.0, 0)
        assert due(clock, 40.0) == [STALLED, PING_TIMEOUT, SEND_PING]

    @given(
        st.lists(st.floats(0.01, 50), min_size=1, max_size=30),
        st.floats(0.1, 60),
        st.floats(0.1, 60) | st.none(),
    )
    def test_peer_that_answers_is_never_cut(
        self, steps: list[float], interval: float, timeout: float | None
    ) -> None:
        clock = opened(ping_interval=interval, ping_timeout=timeout)
        now = 0.0
        for step in steps:
            now += step
            alarms = due(clock, now)
            assert set(alarms) <= {SEND_PING}
            # Whatever is past was dealt with.
            assert clock.deadline() > now
            clock.heard = True

    @given(st.lists(st.floats(0.01, 15), min_size=20, max_size=60))
    def test_peer_that_does_not_is_cut(self, steps: list[float]) -> None:
        clock = opened(ping_interval=20, ping_timeout=10)
        now, asked = 0.0, None
        for step in steps:
            now += step
            alarms = due(clock, now)
            if PING_TIMEOUT in alarms:
                assert asked is not None
                assert 10 - 1e-6 <= now - asked <= 25 + 1e-6
                return
            if SEND_PING in alarms and asked is None:
                asked = now
        assert asked is None or now - asked <= 25 + 1e-6


def test_reading_is_suspended() -> None:
    clock = Clock(None, None, None)
    clock.opened(100)
    clock.reading_suspended(100, 2.5)
    assert clock.deadline() == 102.5
    assert clock.due(102.4, 0, True) == []
    assert clock.due(102.5, 0, True) == [READ_AGAIN]
    assert clock.deadline() == NEVER


@pytest.mark.parametrize("end", ["closing", "closed"])
def test_reading_is_suspended_no_more(end: str) -> None:
    clock = Clock(None, None, None)
    clock.reading_suspended(100, 2.5)
    getattr(clock, end)(*([100] if end == "closing" else []))
    assert clock.deadline() == NEVER
