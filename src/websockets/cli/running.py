"""Floor 5, faces: event loops, signals and exit statuses of commands."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import signal
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

__all__ = ["INTERRUPTED", "TERMINATED", "run", "until_signal"]

#: Exit statuses after signals, as shells have them.
INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM


def _loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    module = importlib.import_module(name)
    factory: Callable[[], asyncio.AbstractEventLoop] = module.new_event_loop
    return factory


def run(
    command: Coroutine[Any, Any, int], loop: str, terminated: int = TERMINATED
) -> int:
    """
    Run a command to its end.

    Args:
        command: what to run; cancelled by SIGINT and SIGTERM.
        loop: "asyncio" or "uvloop".
        terminated: the exit status after SIGTERM.

    Returns:
        The exit status.

    """
    with asyncio.Runner(loop_factory=_loop_factory(loop)) as runner:
        return runner.run(until_signal(command, terminated))


async def until_signal(
    command: Coroutine[Any, Any, int], terminated: int = TERMINATED
) -> int:
    """
    Run a command; cancel it when the user or the system asks to end.

    Args:
        command: what to run.
        terminated: the exit status after SIGTERM.

    Returns:
        The exit status.

    """
    task = asyncio.ensure_future(command)
    received: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        received.append(number)
        task.cancel()

    with _handlers(stop):
        try:
            return await task
        except asyncio.CancelledError:
            if not received:
                raise
            return INTERRUPTED if received[0] == signal.SIGINT else terminated


@contextlib.contextmanager
def _handlers(stop: Callable[[signal.Signals], None]) -> Iterator[None]:
    """Call a function when SIGINT or SIGTERM comes."""
    loop = asyncio.get_running_loop()
    handled = [signal.SIGINT, signal.SIGTERM]
    try:
        for number in handled:
            loop.add_signal_handler(number, stop, number)
    except NotImplementedError:
        # On Windows, whose event loops handle no signals. asyncio.Runner ends the
        # command at Ctrl-C there.
        handled = []
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
