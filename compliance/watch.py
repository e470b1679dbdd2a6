"""What a process leaves behind, and how long its event loop stands still.

The programs of the soak test and of the fault tests count with this. Linux only where
memory and files are concerned.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from pathlib import Path
from typing import Any

__all__ = ["Watch", "memory", "open_files"]

#: Seconds between two looks at the event loop.
_TICK = 0.005


def open_files() -> int:
    """Return how many files and sockets this process has open."""
    return len(os.listdir("/proc/self/fd"))


def memory(pid: int | str = "self") -> float:
    """Return how much memory a process has, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


class Watch:
    """
    Counts what is left in this process, from now on.

    Make it when the event loop runs, and everything that should be there is.

    Attributes:
        errors: what the event loop was told, and what nobody could be told.
        stall: seconds that the event loop's longest pause took on a processor.
        wall: the same by the clock on the wall, other processes included.

    """

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.stall = self.wall = 0.0
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(self._note)
        sys.unraisablehook = self._note_unraisable
        self._ticking = True
        self._tick(time.perf_counter(), time.thread_time())
        self._tasks = asyncio.all_tasks()
        self._files = open_files()

    def _note(self, loop: Any, context: dict[str, Any]) -> None:
        self.errors.append(f"{context['message']}: {context.get('exception')!r}")

    def _note_unraisable(self, unraisable: Any) -> None:
        self.errors.append(f"ignored in {unraisable.object!r}: {unraisable.exc_value}")

    def _tick(self, wall: float, busy: float) -> None:
        """Measure the time since the last tick, without the time asleep."""
        now, used = time.perf_counter(), time.thread_time()
        self.stall = max(self.stall, used - busy)
        self.wall = max(self.wall, now - wall - _TICK)
        if self._ticking:
            self._loop.call_later(_TICK, self._tick, now, used)

    def stop(self) -> None:
        """Measure no more pauses."""
        self._ticking = False

    async def settle(self, seconds: float = 10.0) -> None:
        """Give what was about to end the time to; not more than that."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await asyncio.sleep(0.01)
            if not self.tasks_left() and self.files_left() <= 0:
                break
        gc.collect()
        # Exceptions that nobody has looked at are told by now.
        await asyncio.sleep(0)

    def tasks_left(self) -> int:
        """Return how many more tasks there are than at first."""
        return len(asyncio.all_tasks() - self._tasks - {asyncio.current_task()})

    def files_left(self) -> int:
        """Return how many more files and sockets are open than at first."""
        return open_files() - self._files

    def figures(self) -> dict[str, Any]:
        """Return all that was counted."""
        return {
            "tasks": self.tasks_left(),
            "files": self.files_left(),
            "errors": self.errors,
            "stall": self.stall,
            "wall": self.wall,
        }
