"""What the connections of one event loop share."""

from __future__ import annotations

import asyncio
import gc
import itertools
import weakref
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faces.support import turns, until
from websockets.asyncio import loops
from websockets.asyncio.loops import LoopState, loop_state

pytestmark = pytest.mark.usefixtures("clean_loop")


class Member:
    """Notes when it's called."""

    def __init__(self) -> None:
        self.flushed = 0
        self.checked: list[float] = []
        self.read = 0

    def read_in_turn(self) -> None:
        self.read += 1

    def flush_collected(self) -> None:
        self.flushed += 1

    def check_deadlines(self, now: float) -> None:
        self.checked.append(now)


async def test_a_loop_has_one_state() -> None:
    loop = asyncio.get_running_loop()
    state = loop_state(loop)
    assert loop_state(loop) is state
    assert state.shares_reads
    assert len(state.view) == len(state.buffer) == loops.BUFFER_SIZE


def test_a_state_does_not_keep_its_loop_alive() -> None:
    loop = asyncio.new_event_loop()
    loop_state(loop)
    before = len(loops._states)
    loop.close()
    del loop
    gc.collect()
    assert len(loops._states) < before


def test_closed_loops_are_forgotten() -> None:
    """Connections that were left open refer to their loop, and have deadlines."""

    class Connection(Member):
        def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
            super().__init__()
            self.loop = loop

    closed = asyncio.new_event_loop()
    loop_state(closed).add_deadline(closed.time() + 20, Connection(closed))
    closed.close()
    other = asyncio.new_event_loop()
    gone = weakref.ref(closed)
    del closed
    loop_state(other)
    gc.collect()
    assert gone() is None
    third = asyncio.new_event_loop()
    loop_state(third)
    assert other in loops._states
    other.close()
    third.close()


def test_loops_that_have_two_reads_in_flight() -> None:
    class Proactor(asyncio.SelectorEventLoop):
        _proactor = None

    loop = Proactor()
    assert not loop_state(loop).shares_reads
    loop.close()


async def test_connections_read_on_in_the_next_iteration() -> None:
    state = LoopState(asyncio.get_running_loop())
    state._reads_once = False
    assert not state.had_enough(loops._ENOUGH - 1)
    assert state.had_enough(1)
    one, other = Member(), Member()
    state.read_later(one)
    state.read_later(other)
    assert one.read == other.read == 0
    await turns(1)
    assert one.read == other.read == 1
    assert not state.had_enough(loops._ENOUGH - 1)
    await turns(1)
    state.read_later(one)
    await turns(2)
    assert (one.read, other.read) == (2, 1)


async def test_connections_that_may_take_a_while_read_a_few_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loops, "_SLOWLY", 0.001)
    state = LoopState(asyncio.get_running_loop())
    members = [Member() for _ in range(loops._SLOW_READS + 4)]
    for member in members:
        state.read_later(member, True)
    await turns(2)
    assert not any(member.read for member in members)
    await until(lambda: members[0].read)
    assert sum(member.read for member in members) == loops._SLOW_READS
    await until(lambda: members[-1].read)
    assert all(member.read == 1 for member in members)
    state.read_later(members[0], True)
    await until(lambda: members[0].read == 2)


@pytest.mark.parametrize("at_once", [2**14, 2**20])
async def test_event_loops_that_read_once_need_no_turns(at_once: int) -> None:
    loop = asyncio.get_running_loop()
    state = LoopState(loop)
    enough = any(state.had_enough(at_once) for _ in range(500))
    assert enough is not isinstance(loop, asyncio.SelectorEventLoop)


async def test_a_connection_that_fails_to_read_on_is_reported() -> None:
    class Failing(Member):
        def read_in_turn(self) -> None:
            raise OSError("broken")

    loop = asyncio.get_running_loop()
    state = LoopState(loop)
    told: list[Any] = []
    loop.set_exception_handler(lambda loop, context: told.append(context["exception"]))
    member = Member()
    state.read_later(Failing())
    state.read_later(member)
    await turns(2)
    loop.set_exception_handler(None)
    assert [str(exc) for exc in told] == ["broken"]
    assert member.read == 1


async def test_flushing_in_the_next_iteration() -> None:
    state = loop_state(asyncio.get_running_loop())
    one, other = Member(), Member()
    state.flush_soon(one)
    state.flush_soon(other)
    assert one.flushed == other.flushed == 0
    await turns(1)
    assert one.flushed == other.flushed == 1
    state.flush_soon(one)
    await turns(2)
    assert (one.flushed, other.flushed) == (2, 1)


async def test_deadlines_are_met_in_order() -> None:
    loop = asyncio.get_running_loop()
    state = LoopState(loop)
    now = loop.time()
    members = [Member() for _ in range(4)]
    state.add_deadline(now + 0.02, members[0])
    state.add_deadline(now + 0.01, members[1])
    state.add_deadline(now + 0.01, members[2])
    dropped = state.add_deadline(now, members[3])
    state.drop_deadline(dropped)
    state.drop_deadline(dropped)
    await until(lambda: members[0].checked)
    assert [len(member.checked) for member in members] == [1, 1, 1, 0]
    assert members[1].checked <= members[2].checked <= members[0].checked
    assert members[0].checked[0] >= now + 0.02
    assert state._handle is None


async def test_others_have_their_turn_between_many_deadlines() -> None:
    loop = asyncio.get_running_loop()
    state = LoopState(loop)
    members = [Member() for _ in range(600)]
    for member in members:
        state.add_deadline(loop.time(), member)
    counts = []
    while (count := sum(len(member.checked) for member in members)) < 600:
        counts.append(count)
        await asyncio.sleep(0)
    assert 256 in counts


async def test_a_member_may_add_a_deadline_when_called() -> None:
    loop = asyncio.get_running_loop()
    state = LoopState(loop)

    class Repeating(Member):
        def check_deadlines(self, now: float) -> None:
            super().check_deadlines(now)
            if len(self.checked) < 3:
                state.add_deadline(now, self)

    member = Repeating()
    state.add_deadline(loop.time(), member)
    await until(lambda: len(member.checked) == 3)


async def test_a_member_that_fails_does_not_keep_others_waiting(
    clean_loop: list[dict[str, object]],
) -> None:
    class Broken(Member):
        def flush_collected(self) -> None:
            raise RuntimeError("no flush")

        def check_deadlines(self, now: float) -> None:
            raise RuntimeError("no check")

    loop = asyncio.get_running_loop()
    state = LoopState(loop)
    member = Member()
    for item in (Broken(), member):
        state.flush_soon(item)
        state.add_deadline(loop.time(), item)
    await until(lambda: member.checked)
    assert member.flushed == 1
    assert [str(context["exception"]) for context in clean_loop] == [
        "no flush",
        "no check",
    ]
    clean_loop.clear()


async def test_void_deadlines_do_not_pile_up() -> None:
    loop = asyncio.get_running_loop()
    state = LoopState(loop)
    kept = Member()
    state.add_deadline(loop.time() + 1000, kept)
    for _ in range(10_000):
        deadline = state.add_deadline(loop.time() + 1000, Member())
        state.drop_deadline(deadline)
    assert len(state._deadlines) < 200
    assert any(d.member is kept for d in state._deadlines)
    assert state._handle is not None
    state._handle.cancel()


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=200))
def test_every_deadline_is_met_once_and_in_order(
    deadlines: list[tuple[int, bool]],
) -> None:
    loop = mock.Mock(spec=asyncio.AbstractEventLoop)
    state = LoopState(loop)
    called: list[tuple[float, int]] = []

    class Numbered(Member):
        def __init__(self, when: float, number: int) -> None:
            self.when = when
            self.number = number

        def check_deadlines(self, now: float) -> None:
            assert now >= self.when
            called.append((self.when, self.number))

    expected = []
    for number, (when, drop) in enumerate(deadlines):
        deadline = state.add_deadline(when, Numbered(when, number))
        if drop:
            state.drop_deadline(deadline)
        else:
            expected.append((float(when), number))
    for now in itertools.count():
        loop.time.return_value = float(now)
        if state._handle_at <= now:
            state._check()
        if now > 20:
            break
    assert called == sorted(expected)
    # The state holds its loop weakly.
    assert loop is not None
