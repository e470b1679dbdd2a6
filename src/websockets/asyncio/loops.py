"""Floor 4, engine: what the connections of one event loop share.

A :class:`LoopState` is made for an event loop when its first connection is. It
owns the buffer that all connections read into, the list of connections that
have more to write in this iteration, and one timer for the deadlines of all
connections: no connection has a buffer, a handle or a task of its own for these.
"""

from __future__ import annotations

import asyncio
import collections
import contextvars
import heapq
import sys
import time
import weakref
from collections.abc import Callable
from typing import Any, Protocol

from ..speedups import compiled

__all__ = ["LoopState", "check_loop", "current_task", "loop_state", "running_loop"]

# Before Python 3.12, it's a function in Python, and this is all that it does for a
# loop that is known.
current_task: Callable[[asyncio.AbstractEventLoop], asyncio.Task[Any] | None] = (
    asyncio.current_task
    if sys.version_info >= (3, 12)
    else vars(asyncio.tasks)["_current_tasks"].get
)

#: Returns the event loop that is running in this thread, None if there is none.
running_loop = asyncio._get_running_loop


def check_loop(loop: asyncio.AbstractEventLoop | None) -> None:
    """
    Check that the caller is where a connection may be used.

    Args:
        loop: the connection's event loop; None if it isn't known yet.

    Raises:
        RuntimeError: if another event loop is running, or none.

    """
    if loop is not None and running_loop() is not loop:
        raise RuntimeError(
            "this connection belongs to another event loop; from other threads, use "
            "asyncio.run_coroutine_threadsafe(), or call_soon_threadsafe() of its loop"
        )


#: Bytes read at once: a frame of 64 KiB with its header, and more small ones than
#: anyone sends in a row. In plain Python, twice as many would keep the event loop for
#: too long if all frames were empty.
BUFFER_SIZE = 2**17 if compiled else 2**16 + 2**10

#: Bytes that connections read in one iteration before each rests after its next read.
#: That's for event loops that read the same connection again and again while there is
#: something to read, as uvloop does up to 32 times.
_ENOUGH = 2**21 if compiled else 2**18

#: Seconds after which connections read again that may take a while, and how many of
#: them then. Event loops accept connections between; uvloop one in each iteration.
_SLOWLY = 0.01
_SLOW_READS = 16

#: Deadlines looked at before other callbacks of the event loop have their turn.
_DEADLINES_PER_TURN = 256

_states: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LoopState]
_states = weakref.WeakKeyDictionary()


def loop_state(loop: asyncio.AbstractEventLoop) -> LoopState:
    """Return what the connections of an event loop share."""
    state = _states.get(loop)
    if state is None:
        _forget_closed_loops()
        state = _states[loop] = LoopState(loop)
    return state


def _forget_closed_loops() -> None:
    """Let go of loops that were closed while they had connections.

    These are in the queue of deadlines for ever, and refer to their loop.
    """
    # Other threads may add loops meanwhile.
    for reference in _states.keyrefs():
        loop = reference()
        if loop is not None and loop.is_closed():
            _states.pop(loop, None)


def throw(exc: BaseException) -> None:
    """Raise an exception, from a callback of its own."""
    raise exc


class Punctual(Protocol):
    """What has deadlines."""

    def check_deadlines(self, now: float) -> None:
        """Do what is due."""


class Member(Punctual, Protocol):
    """What a connection must offer to share the loop's state."""

    def flush_collected(self) -> None:
        """Write what was collected since the last iteration."""

    def read_in_turn(self) -> None:
        """Read again, since an iteration has passed."""


class Deadline:
    """A place in the queue of deadlines; its member is None when it's void."""

    __slots__ = ("member", "number", "when")

    def __init__(self, when: float, number: int, member: Punctual) -> None:
        self.when = when
        self.number = number
        self.member: Punctual | None = member

    def __lt__(self, other: Deadline) -> bool:
        """Order by time, then by age."""
        if self.when == other.when:
            return self.number < other.number
        return self.when < other.when


class LoopState:
    """
    What the connections of one event loop share.

    Attributes:
        buffer: what connections read into, one after the other.
        view: a memoryview of ``buffer``.
        shares_reads: whether no two reads are ever in flight at the same time,
            so that connections may share ``buffer``.
        clock: what measures latency, and how long tasks go on: seconds from some
            moment on.

    """

    __slots__ = (
        "_context",
        "_counting",
        "_deadlines",
        "_dirty",
        "_handle",
        "_handle_at",
        "_loop",
        "_number",
        "_reads_once",
        "_received",
        "_resting",
        "_slow",
        "_tasks_began",
        "_void",
        "buffer",
        "clock",
        "shares_reads",
        "view",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # A strong reference to the loop would keep its entry alive for ever.
        self._loop = weakref.ref(loop)
        self.buffer = bytearray(BUFFER_SIZE)
        self.view = memoryview(self.buffer)
        self.shares_reads = not hasattr(loop, "_proactor")
        self.clock: Callable[[], float] = time.perf_counter
        self._context = contextvars.Context()
        # asyncio's own event loops read each connection once in an iteration.
        self._reads_once = isinstance(
            loop, (asyncio.SelectorEventLoop, getattr(asyncio, "ProactorEventLoop", ()))
        )
        self._received = 0
        self._counting = False
        self._resting: list[Member] = []
        self._slow: collections.deque[Member] = collections.deque()
        self._tasks_began = 0.0
        self._dirty: list[Member] = []
        self._deadlines: list[Deadline] = []
        self._number = 0
        self._void = 0
        self._handle: asyncio.TimerHandle | None = None
        self._handle_at = float("inf")

    # Reading.

    def had_enough(self, nbytes: int) -> bool:
        """
        Tell whether connections have read enough in this iteration.

        Args:
            nbytes: how many more bytes were read at once.

        """
        if self._reads_once:
            return False
        if not self._counting:
            self._counting = True
            self._call_soon(self._read_on)
        self._received += nbytes
        return self._received >= _ENOUGH

    def read_later(self, member: Member, slowly: bool = False) -> None:
        """
        Have a connection read again.

        Args:
            member: the connection.
            slowly: whether that may take a while, since what comes is dropped; else
                it's in the next iteration.

        """
        if slowly:
            if not self._slow:
                self._read_slowly_soon()
            self._slow.append(member)
            return
        self._resting.append(member)
        if not self._counting:
            self._counting = True
            self._call_soon(self._read_on)

    def _read_on(self) -> None:
        """Count anew: it's another iteration."""
        self._counting = False
        self._received = 0
        resting, self._resting = self._resting, []
        for member in resting:
            self._read_again(member)

    def _read_slowly_soon(self) -> None:
        loop = self._loop()
        assert loop is not None
        loop.call_later(_SLOWLY, self._read_slowly, context=self._context)

    def _read_slowly(self) -> None:
        """Have some of those read again that may take a while."""
        for _ in range(min(_SLOW_READS, len(self._slow))):
            self._read_again(self._slow.popleft())
        if self._slow:
            self._read_slowly_soon()

    def _read_again(self, member: Member) -> None:
        try:
            member.read_in_turn()
        except Exception as exc:
            self._report(exc)

    def _call_soon(self, callback: Callable[[], None]) -> None:
        loop = self._loop()
        assert loop is not None
        loop.call_soon(callback, context=self._context)

    # Tasks that don't wait.

    def gone_on(self, now: float) -> float:
        """
        Return for how many seconds such tasks have gone on in this iteration.

        Args:
            now: the time of :attr:`clock`; the first of an iteration has it begin.

        """
        if self._tasks_began == 0.0:
            self._tasks_began = now
            self._call_soon(self._begin_anew)
        return now - self._tasks_began

    def _begin_anew(self) -> None:
        """Count anew: it's another iteration."""
        self._tasks_began = 0.0

    # Writing.

    def flush_soon(self, member: Member) -> None:
        """Flush a connection in the next iteration."""
        if not self._dirty:
            self._call_soon(self._flush)
        self._dirty.append(member)

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, []
        for member in dirty:
            try:
                member.flush_collected()
            except Exception as exc:
                # A transport that fails mustn't keep others from writing.
                self._report(exc)

    def _report(self, exc: Exception) -> None:
        """Tell the event loop that a connection has failed."""
        loop = self._loop()
        assert loop is not None
        message = "exception in a connection's callback"
        loop.call_exception_handler({"message": message, "exception": exc})

    # Deadlines.

    def add_deadline(self, when: float, member: Punctual) -> Deadline:
        """
        Call a connection's :meth:`~Punctual.check_deadlines` at some time.

        Args:
            when: seconds of the event loop's clock.
            member: the connection.

        """
        self._number += 1
        deadline = Deadline(when, self._number, member)
        heapq.heappush(self._deadlines, deadline)
        if when < self._handle_at:
            self._arm(when)
        return deadline

    def drop_deadline(self, deadline: Deadline) -> None:
        """Don't call that connection at that time."""
        if deadline.member is None:
            return
        deadline.member = None
        self._void += 1
        # Connections that come and go must not pile up here.
        if self._void > 64 and 2 * self._void > len(self._deadlines):
            self._deadlines = [d for d in self._deadlines if d.member is not None]
            heapq.heapify(self._deadlines)
            self._void = 0

    def _arm(self, when: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        loop = self._loop()
        assert loop is not None
        self._handle_at = when
        self._handle = loop.call_at(when, self._check, context=self._context)

    def _check(self) -> None:
        """Call the connections whose time has come."""
        loop = self._loop()
        assert loop is not None
        now = loop.time()
        self._handle = None
        self._handle_at = float("inf")
        for _ in range(_DEADLINES_PER_TURN):
            # Event loops may call a bit early, by their clock's resolution.
            if not self._deadlines or self._deadlines[0].when > now + 0.001:
                break
            deadline = heapq.heappop(self._deadlines)
            if deadline.member is None:
                self._void -= 1
                continue
            member, deadline.member = deadline.member, None
            try:
                member.check_deadlines(max(now, deadline.when))
            except Exception as exc:
                self._report(exc)
        if self._deadlines and self._handle is None:
            self._arm(self._deadlines[0].when)
