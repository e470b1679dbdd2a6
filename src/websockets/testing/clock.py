"""Floor 5, faces: time that passes when nothing else happens, for tests.

An event loop asks its selector to wait until the next timer is due. While time is
virtual, the selector doesn't wait: it moves the clock on to that moment. So whatever
is ready runs before any time passes, and no time passes really.

What is outside of the event loop takes real time, however. While it watches sockets
or pipes, or a thread of an executor works for it, time passes as it really does.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import selectors
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from ..asyncio.loops import loop_state

__all__ = ["VirtualClock", "virtual_time"]

#: Real seconds to wait for a thread that nothing is known of.
PATIENCE = 5.0

_Events = list[tuple[selectors.SelectorKey, int]]


class VirtualClock:
    """
    The clock of an event loop, as :func:`virtual_time` gives it.

    Args:
        loop: the event loop.
        limit: seconds of virtual time after which something is wrong.

    """

    def __init__(self, loop: asyncio.SelectorEventLoop, limit: float) -> None:
        self._loop = loop
        self._limit = limit
        self._began_at = self._now = loop.time()
        self._until = self._began_at + limit
        self._selector: selectors.BaseSelector = vars(loop)["_selector"]
        self._idle: collections.deque[asyncio.Future[None]] = collections.deque()
        self._jobs = 0

    # What tests do.

    def time(self) -> float:
        """Return the time of the event loop, in seconds."""
        return self._now

    @property
    def elapsed(self) -> float:
        """Seconds of virtual time that have passed so far, in whole microseconds."""
        return round(self._now - self._began_at, 6)

    async def advance(self, seconds: float) -> None:
        """
        Let time pass, with everything that happens meanwhile.

        Args:
            seconds: how much time. What is due by then has happened, with all that
                follows from it at once.

        """
        if seconds < 0:
            raise ValueError(f"time only passes forward, not by {seconds} seconds")
        await asyncio.sleep(seconds)
        await self.settle()

    async def settle(self) -> None:
        """Let everything happen that takes no time."""
        waiter = self._loop.create_future()
        self._idle.append(waiter)
        await waiter

    # What takes the place of the event loop's own.

    def install(self) -> None:
        """Have the event loop go by this clock."""
        vars(self._loop).update(time=self.time, run_in_executor=self._run_in_executor)
        vars(self._selector)["select"] = self._select
        loop_state(self._loop).clock = self.time

    def remove(self) -> None:
        """Have time pass as it does, from now on: it never goes back."""
        ahead = self._now - time.monotonic()
        vars(self._loop)["time"] = lambda: time.monotonic() + ahead
        del vars(self._loop)["run_in_executor"]
        del vars(self._selector)["select"]
        loop_state(self._loop).clock = time.perf_counter

    def _run_in_executor(
        self, executor: Any, function: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Take note of threads that work for the event loop."""
        future = type(self._loop).run_in_executor(self._loop, executor, function, *args)
        self._jobs += 1
        future.add_done_callback(self._end_job)
        return future

    def _end_job(self, future: asyncio.Future[Any]) -> None:
        self._jobs -= 1

    def _select(self, timeout: float | None = None) -> _Events:
        """Return what is ready; let time pass if nothing is."""
        events = self._really_select(0)
        if events or timeout == 0:
            return events
        while self._idle:
            waiter = self._idle.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return []
        # There's one descriptor that wakes the event loop up from other threads.
        if self._jobs or len(self._selector.get_map()) > 1:
            began_at = time.monotonic()
            events = self._really_select(timeout)
            self._now += time.monotonic() - began_at
        elif timeout is None:
            events = self._really_select(PATIENCE)
            if not events:
                self._give_up("nothing is left that could wake a task")
        else:
            self._now += timeout
            if self._now > self._until:
                # Whatever cleans up then has as much time again.
                self._until = self._now + self._limit
                self._give_up(f"{self._limit:g} seconds of virtual time have passed")
        return events

    def _really_select(self, timeout: float | None) -> _Events:
        return type(self._selector).select(self._selector, timeout)

    def _give_up(self, reason: str) -> None:
        """End the run of the event loop, and tell what its tasks wait for."""
        lines = [f"{reason}; tasks wait here:"]
        for task in sorted(asyncio.all_tasks(self._loop), key=asyncio.Task.get_name):
            lines.append(f"  {task.get_name()}: {' > '.join(find_frames(task))}")
        raise RuntimeError("\n".join(lines))


def find_frames(task: asyncio.Task[Any]) -> Iterator[str]:
    """Yield where a task waits, from its outermost coroutine to the innermost."""
    waiting: Any = task.get_coro()
    while (frame := getattr(waiting, "cr_frame", None)) is not None:
        code = frame.f_code
        yield f"{code.co_name} ({code.co_filename}:{frame.f_lineno})"
        waiting = waiting.cr_await


@contextlib.asynccontextmanager
async def virtual_time(limit: float = 86400) -> AsyncIterator[VirtualClock]:
    """
    Have the running event loop's time pass when nothing else can happen.

    Whatever sleeps, or has a timeout, goes on at once, in the right order::

        async with websockets.testing.virtual_time() as clock:
            await asyncio.sleep(3600)
            assert clock.elapsed == 3600

    It's for everything on the event loop: :func:`asyncio.sleep`,
    :func:`asyncio.timeout`, ``call_later()``, and connections. :func:`time.time` and
    its like know nothing of it. While the event loop watches sockets or pipes, or
    an executor works for it, time passes as it really does.

    Args:
        limit: seconds of virtual time after which something is wrong: the run of
            the event loop then ends with an error that tells what tasks wait for.
            So it does when nothing is left that could wake one.

    Raises:
        RuntimeError: if the event loop isn't asyncio's own selector loop, as
            uvloop's isn't, or its time is virtual already.

    """
    loop = asyncio.get_running_loop()
    if not isinstance(loop, asyncio.SelectorEventLoop):
        raise RuntimeError(
            f"virtual time needs asyncio's selector event loop, and this one is a "
            f"{type(loop).__module__}.{type(loop).__qualname__}: "
            "run it on asyncio.SelectorEventLoop()"
        )
    if isinstance(getattr(loop.time, "__self__", None), VirtualClock):
        raise RuntimeError("the time of this event loop is virtual already")
    clock = VirtualClock(loop, limit)
    clock.install()
    try:
        yield clock
    finally:
        clock.remove()
