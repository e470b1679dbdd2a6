"""Cancels an operation at its first step, at its second, and so on until it's done.

A step is what lies between two times that the operation waits. An :class:`Attempt`
runs it once, in a task that is cancelled at one step, in one of the ways below.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any

__all__ = ["WAYS", "Attempt", "attempts", "open_files", "result_of"]

#: When a task is cancelled: when it begins to wait; when what it waited for is there,
#: but it hasn't gone on; when it begins to wait, and again at every further wait; and
#: so many iterations of the event loop after it began, wherever that is.
WAYS = ["waiting", "woken", "again", "after"]

#: Steps that no operation has.
_TOO_MANY = 10_000

#: Iterations of the event loop that are tried; how many an operation takes depends on
#: the operating system.
_ITERATIONS = 25


class Attempt:
    """One run of an operation, with its cancellation.

    Args:
        way: one of :data:`WAYS`.
        step: at which step to cancel; the first one is 1.

    Attributes:
        cancelled: whether the task was told to end.

    """

    def __init__(self, way: str, step: int) -> None:
        self.way = way
        self.step = step
        self.cancelled = False
        self._task: asyncio.Task[Any] | None = None

    def start(self, operation: Awaitable[Any]) -> asyncio.Task[Any]:
        """Run an operation in a task."""
        return asyncio.create_task(self.watch(operation))

    async def watch(self, operation: Awaitable[Any]) -> Any:
        """Run an operation in the current task."""
        self._task = asyncio.current_task()
        # However long others take on a busy machine, the first attempt is let alone.
        if self.way == "after" and self.step != _TOO_MANY:
            self._cancel_after(self.step)
        try:
            return await _Watched(self, operation)
        finally:
            # The task does something else from now on. Besides, its exception refers
            # to this frame.
            self._task = None

    def _cancel_after(self, iterations: int) -> None:
        loop = asyncio.get_running_loop()
        if self._task is None:
            return
        if iterations:
            loop.call_soon(self._cancel_after, iterations - 1)
        else:
            self._cancel()

    def _cancel(self) -> None:
        if self._task is not None:
            self.cancelled = self._task.cancel() or self.cancelled

    def begins_to_wait(self, step: int, what: Any) -> None:
        """Cancel the task if it's time to; it waits for a future, or for nothing."""
        if self.way == "after" or step < self.step:
            return
        if self.way == "again" or (self.way == "waiting" and step == self.step):
            self._cancel()
        elif step == self.step and what is None:
            asyncio.get_running_loop().call_soon(self._cancel)
        elif step == self.step:
            # Before the task itself asks to be told.
            what.add_done_callback(lambda _: self._cancel())


class _Watched:
    """Awaits an operation, and tells an attempt whenever it begins to wait."""

    def __init__(self, attempt: Attempt, operation: Awaitable[Any]) -> None:
        self._attempt = attempt
        self._operation = operation

    def __await__(self) -> Generator[Any, Any, Any]:
        operation: Any = self._operation.__await__()
        go_on: Callable[[Any], Any] = operation.send
        argument: Any = None
        step = 0
        while True:
            try:
                what = go_on(argument)
            except StopIteration as exc:
                return exc.value
            finally:
                # An exception would refer to this frame, and this frame to it.
                argument = None
            step += 1
            self._attempt.begins_to_wait(step, what)
            try:
                argument = yield what
                go_on = operation.send
            except BaseException as exc:
                go_on, argument = operation.throw, exc


async def result_of(task: asyncio.Task[Any]) -> list[Any]:
    """Return what a task returned, in a list; an empty one if it was cancelled."""
    await asyncio.wait([task])
    return [] if task.cancelled() else [task.result()]


def open_files() -> int:
    """Return how many files and sockets the process has open."""
    return len(os.listdir("/dev/fd")) if os.path.isdir("/dev/fd") else 0


async def attempts(way: str) -> AsyncGenerator[Attempt, None]:
    """Give attempts until one isn't cancelled; see that none leaves anything.

    Event loops open files of their own at first. So the first attempt is one that
    comes to its end.
    """
    before = 0
    for step in itertools.chain([_TOO_MANY], range(1, 200)):
        attempt = Attempt(way, step)
        yield attempt
        if step == _TOO_MANY:
            assert not attempt.cancelled
            await _settle(0)
            before = open_files()
            continue
        await _settle(before)
        assert open_files() <= before, f"{way} at step {step} leaves a file open"
        assert len(asyncio.all_tasks()) == 1, f"{way} at step {step} leaves a task"
        if not attempt.cancelled or (way == "after" and step == _ITERATIONS):
            return
    raise AssertionError("the operation has no end")


async def _settle(files: int) -> None:
    """Let what was about to end do so."""
    for number in range(400):
        if number >= 20 and open_files() <= files and len(asyncio.all_tasks()) == 1:
            return
        if number == 200:
            # It takes long where many tests are in memory.
            gc.collect()
        await asyncio.sleep(0)
