"""Floor 4, engine: what a task waits on until a message comes.

A task that waits hands asyncio a future, as always, and gives it a callback that
has the task go on. asyncio calls it in the next iteration of the event loop. From
a read callback, where no task is running, there is no need to wait that long:
:meth:`Waiter.wake_now` takes the callback from the future and calls it at once.

The future is never done then. It is one of asyncio's own, which tasks treat best,
and it serves again the next time. It holds no result: whoever is woken looks
whether there is something for him. So a message is never in a waiter, and
cancelling can't lose it.

A task gives every future an equal callback, and most waiters serve one task. So
the one that was taken first is kept: next time it needn't be asked for.

Only ``await`` meets a waiter. The public awaitables are coroutines, which
``create_task`` and ``gather`` start as such.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Callable, Generator, Iterable
from typing import Any

__all__ = ["Waiter", "release"]


class Waiter:
    """
    Waits for whatever its owner says; for one task at a time.

    Args:
        loop: the event loop of that task.

    Attributes:
        parked: whether a task waits here and hasn't gone on yet.

    """

    __slots__ = (
        "_callback",
        "_done",
        "_future",
        "_loop",
        "_remove",
        "_run",
        "_spoiled",
        "parked",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        # What tasks are told is done when they go on.
        self._done: Future[None] = Future(loop=loop)
        self._done.set_result(None)
        # How to have the task go on that waited here last, and in which context.
        self._callback: Callable[[Future[None]], Any] | None = None
        self._run: Callable[..., Any] | None = None
        self.parked = False
        self._renew()

    def _renew(self) -> None:
        """Take another future: the last one is done, or somebody left it."""
        self._future: Future[None] = Future(loop=self._loop)
        self._remove = self._future.remove_done_callback
        self._spoiled = False

    def park(self) -> Future[None]:
        """
        Return what the task must yield to wait.

        When it goes on, it says so with :meth:`leave`.
        """
        if self._spoiled:
            self._renew()
        self.parked = True
        # What "await" does; but it would ask for a result when it goes on.
        self._future._asyncio_future_blocking = True
        return self._future

    def leave(self) -> None:
        """Wait no more, for another reason than having been woken."""
        self.parked = False
        # It was cancelled, or still has a callback of who left.
        self._spoiled = True
        self.forget()

    def __await__(self) -> Generator[Any, None, None]:
        """Wait until woken; what woke it must be looked for."""
        try:
            yield self.park()
        except BaseException:
            self.leave()
            raise
        self.parked = False

    def is_waiting(self) -> bool:
        """Tell whether a task waits here and wasn't woken yet."""
        return self.parked and not self._future.done()

    def forget(self) -> None:
        """Let go of the task that waited here last."""
        self._callback = self._run = None

    def wake_soon(self) -> None:
        """
        Have the task go on in the next iteration of the event loop.

        A task that is cancelled before then goes on with its cancellation, and
        what woke it stays for the next one who asks.
        """
        self._spoiled = True
        self.forget()
        self._future.set_result(None)

    def wake_now(self) -> None:
        """
        Have the task go on at once, until it waits again.

        Does nothing if it was woken already. No task may be current. Whatever
        the task raises stays in the task, but for SystemExit and
        KeyboardInterrupt, which asyncio lets through.
        """
        callback = self._callback
        if callback is None or self._remove(callback) != 1:
            if self._future.done():
                return
            callbacks = self._future._callbacks
            if not callbacks or len(callbacks) > 1:
                # It isn't a task that waits, but somebody's own construction.
                self.wake_soon()
                return
            callback, context = callbacks[0]
            self._remove(callback)
            self._callback = callback
            self._run = context.run
        run: Any = self._run
        try:
            run(callback, self._done)
        except RuntimeError:
            # Somebody woke us inside the task's own context. The task itself keeps
            # what it raises.
            self._future.add_done_callback(callback, context=run.__self__)
            self.wake_soon()
        if not self.parked:
            # Who isn't coming back at once isn't kept: nobody would hear of its end.
            self.forget()


def release(waiters: Iterable[asyncio.Future[None]] | None) -> None:
    """Wake all who wait for futures of their own."""
    for waiter in waiters or ():
        if not waiter.done():
            waiter.set_result(None)
