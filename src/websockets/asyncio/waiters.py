"""Floor 4, engine: what a task waits on until a message comes.

A :class:`Waiter` speaks the protocol of asyncio's futures as far as tasks use
it: ``_asyncio_future_blocking``, ``add_done_callback``, ``cancel``, ``result``
and ``get_loop``. It holds no result: whoever is woken looks whether there is
something for him. So a message is never in a waiter, and cancelling can't lose
it. And since the waiter keeps the task's callback, the engine may call it at
once instead of in the next iteration of the event loop.

Only ``await`` meets a waiter. The public awaitables are coroutines, which
``ensure_future`` and ``gather`` start as such.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Generator
from typing import Any

__all__ = ["Waiter"]

Callback = Callable[[Any], object]


class Waiter:
    """
    Waits for whatever its owner says; for one task at a time.

    Args:
        loop: the event loop of that task.

    Attributes:
        parked: whether a task waits here and hasn't gone on yet.

    """

    __slots__ = (
        "_asyncio_future_blocking",
        "_callback",
        "_cancel_message",
        "_cancelled",
        "_context",
        "_loop",
        "parked",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._asyncio_future_blocking = False
        self._callback: Callback | None = None
        self._context: contextvars.Context | None = None
        self._cancelled = False
        self._cancel_message: object = None
        self.parked = False

    def __await__(self) -> Generator[Any, None, None]:
        """Wait until woken; what woke it must be looked for."""
        self.parked = True
        self._asyncio_future_blocking = True
        try:
            yield self
        finally:
            self.parked = False
            self._callback = self._context = None
            self._cancelled = False

    # What tasks call.

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the event loop of the task that waits."""
        return self._loop

    def add_done_callback(
        self, callback: Callback, *, context: contextvars.Context | None = None
    ) -> None:
        """Keep what wakes the task."""
        self._callback = callback
        self._context = context

    def remove_done_callback(self, callback: Callback) -> int:
        """Forget what wakes the task; return how often it was there."""
        if self._callback != callback:
            return 0
        self._callback = self._context = None
        return 1

    def cancel(self, msg: object = None) -> bool:
        """
        Have the task go on with a cancellation, in the next iteration.

        Returns:
            False if it was woken already: the task then cancels itself when it
            goes on, and what woke it stays for the next one who asks.

        """
        callback = self._callback
        if callback is None:
            return False
        self._cancelled = True
        self._cancel_message = msg
        context, self._callback = self._context, None
        self._loop.call_soon(callback, self, context=context)
        return True

    def result(self) -> None:
        """Tell the task how to go on."""
        if self._cancelled:
            if self._cancel_message is None:
                raise asyncio.CancelledError
            raise asyncio.CancelledError(self._cancel_message)

    def exception(self) -> None:
        """Return None, as futures do that hold no exception."""

    def done(self) -> bool:
        """Tell whether the task was woken."""
        return self._callback is None

    def cancelled(self) -> bool:
        """Tell whether the task was woken by :meth:`cancel`."""
        return self._cancelled

    # What the owner calls.

    @property
    def waiting(self) -> bool:
        """Whether a task waits here and wasn't woken yet."""
        return self._callback is not None

    def wake(self) -> None:
        """Have the task go on in the next iteration of the event loop."""
        callback, context = self._callback, self._context
        if callback is not None:
            self._callback = None
            self._loop.call_soon(callback, self, context=context)

    def wake_now(self) -> None:
        """
        Have the task go on at once, until it waits again.

        No task may be current. Whatever the task raises stays in the task,
        but for SystemExit and KeyboardInterrupt, which asyncio lets through.
        """
        callback, context = self._callback, self._context
        if callback is not None:
            self._callback = None
            if context is None:
                callback(self)
            else:
                context.run(callback, self)
