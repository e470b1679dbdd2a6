"""Floor 4, engine: what a task waits on until a message comes.

A task that waits hands asyncio a future, as always, and gives it a callback that
has the task go on. asyncio calls it in the next iteration of the event loop. From
a read callback, where no task is running, there is no need to wait that long:
:meth:`Waiter.wake_now` takes the callback from the future and calls it at once.

The future is never done then. It is one of asyncio's own, which tasks treat best,
and it serves again the next time. It holds no result: whoever is woken looks
whether there is something for him. So a message is never in a waiter, and
cancelling can't lose it.

Only ``await`` meets a waiter. The public awaitables are coroutines, which
``create_task`` and ``gather`` start as such.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Generator
from typing import Any

__all__ = ["Waiter"]


class Waiter:
    """
    Waits for whatever its owner says; for one task at a time.

    Args:
        loop: the event loop of that task.

    Attributes:
        parked: whether a task waits here and hasn't gone on yet.

    """

    __slots__ = ("_done", "_future", "_loop", "parked")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._future: Future[None] = Future(loop=loop)
        # What tasks are told is done when they go on.
        self._done: Future[None] = Future(loop=loop)
        self._done.set_result(None)
        self.parked = False

    def __await__(self) -> Generator[Any, None, None]:
        """Wait until woken; what woke it must be looked for."""
        if self._future.done():
            # It was cancelled, or woken in the other way.
            self._future = Future(loop=self._loop)
        self.parked = True
        # What "await" does; but it would ask for a result when it goes on.
        self._future._asyncio_future_blocking = True
        try:
            yield self._future
        finally:
            self.parked = False

    def is_waiting(self) -> bool:
        """Tell whether a task waits here and wasn't woken yet."""
        return self.parked and not self._future.done()

    def wake_soon(self) -> None:
        """
        Have the task go on in the next iteration of the event loop.

        A task that is cancelled before then goes on with its cancellation, and
        what woke it stays for the next one who asks.
        """
        self._future.set_result(None)

    def wake_now(self) -> None:
        """
        Have the task go on at once, until it waits again.

        No task may be current. Whatever the task raises stays in the task, but
        for SystemExit and KeyboardInterrupt, which asyncio lets through.
        """
        callbacks = self._future._callbacks
        if not callbacks or len(callbacks) > 1:
            # It isn't a task that waits, but somebody's own construction.
            self._future.set_result(None)
            return
        callback, context = callbacks[0]
        self._future.remove_done_callback(callback)
        context.run(callback, self._done)
