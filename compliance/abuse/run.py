"""Attack servers of this library, and measure how they take it.

    python compliance/abuse/run.py [--loop asyncio|uvloop] [--face classic|modern]
        [--attack NAME] [--attempts N] [--list]

Each attack runs against a fresh server process while a well-behaved client, in a
third one, visits the server again and again. The table shows the memory that the
server took beyond what it had before, the longest iteration of its event loop (on a
processor, and on the wall clock), how long the client was kept waiting at most during
the attack and before it, and how the attacked connections ended. On a machine that has
other things to do, the client may wait for so much longer as it did before.

What is beyond a bound is marked, and exit status 1 says that there was such. The
library is the one that this interpreter has; Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import dataclasses
import importlib
import importlib.util
import json
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from arena import ATTACKS, Attack
from attacker import load

HERE = Path(__file__).resolve().parent
CERTIFICATE = HERE.parents[1] / "tests" / "certificates" / "ca.pem"

#: Seconds that an attack may take.
PATIENCE = 300


@dataclasses.dataclass
class Figures:
    """
    What was measured.

    Attributes:
        memory: MiB that the server took more than before, at its peak.
        cpu: milliseconds of the longest iteration, on a processor.
        wall: the same by the clock on the wall.
        latency: milliseconds that the well-behaved client waited at most.
        quiet: the same before the attack, for want of a processor.
        visits: how many rounds it made.
        errors: what went wrong for it.
        ends: how attacked connections ended.
        left: connections that are left on the server when all have gone.

    """

    memory: float
    cpu: float
    wall: float
    latency: float
    quiet: float
    visits: int
    errors: list[str]
    ends: collections.Counter[str]
    left: int

    def misses(self, attack: Attack) -> set[str]:
        """Return the names of what is beyond the attack's bounds."""
        found = {
            "memory": self.memory > attack.memory,
            "cpu": self.cpu > attack.stall,
            "latency": self.latency > attack.latency + self.quiet or self.visits < 3,
            "errors": bool(self.errors),
            "ends": not self.ends or not set(self.ends) <= set(attack.ends),
            "left": self.left > 0,
        }
        return {name for name, missed in found.items() if missed}


class Server:
    """The attacked server's process."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.port = 0

    async def started(self) -> None:
        """Wait until it listens."""
        self.port = json.loads(await line_of(self._process))

    async def report(self) -> dict[str, Any]:
        """Have it tell how it does."""
        self._process.send_signal(signal.SIGUSR1)
        return json.loads(await line_of(self._process))  # type: ignore[no-any-return]

    def memory(self, name: str) -> float:
        """Return VmRSS or VmHWM in MiB."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition(f"{name}:")[2].split()[0]) / 1024

    def forget_peak(self) -> None:
        """Have VmHWM begin anew."""
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")


@contextlib.asynccontextmanager
async def running(program: str, *arguments: object) -> AsyncIterator[Process]:
    """Run a program of this directory; end it at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(HERE / program), *map(str, arguments)),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL if program == "target.py" else None,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def measure(attack: Attack, loop: str, face: str) -> Figures:
    """Run an attack against a fresh server, visited by a well-behaved client."""
    job = {
        "handler": attack.handler,
        "options": dict(attack.options),
        "loop": loop,
        "face": face,
    }
    tls = bool(attack.options.get("ssl"))
    async with running("target.py", json.dumps(job)) as process:
        server = Server(process)
        await server.started()
        uri = f"ws{'s' if tls else ''}://127.0.0.1:{server.port}"
        async with running("guest.py", uri, *[CERTIFICATE] * tls) as guest:
            quiet = json.loads(await line_of(guest))
            await server.report()
            server.forget_peak()
            before = server.memory("VmRSS")
            async with running(
                "attacker.py", attack.name, server.port, int(tls)
            ) as attacker:
                ends = json.loads(await line_of(attacker, PATIENCE))
                found = await server.report()
                memory = server.memory("VmHWM") - before
                told = json.loads((await guest.communicate(b""))[0])
        return Figures(
            memory=memory,
            cpu=found["cpu"] * 1000,
            wall=found["wall"] * 1000,
            latency=max(told["seconds"], default=float("inf")) * 1000,
            quiet=quiet * 1000,
            visits=len(told["seconds"]),
            errors=told["errors"],
            ends=collections.Counter(ends),
            left=await count_left(server),
        )


async def line_of(process: Process, patience: float = 30) -> bytes:
    """Read a line that a process prints."""
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), patience)
    if not line:
        raise RuntimeError("a process ended too early")
    return line


async def count_left(server: Server) -> int:
    """Return how many connections the server still has when all have gone."""
    for _ in range(100):
        left: int = (await server.report())["live"]
        if not left:
            break
        await asyncio.sleep(0.05)
    return left


COLUMNS = (
    f"{'attack':34} {'loop':7} {'memory':>9} {'stall':>8} {'(wall)':>8} "
    f"{'client':>8} {'(before)':>8} {'visits':>6}  ends"
)


def show(attack: Attack, loop: str, figures: Figures) -> str:
    """Return a line of the table; what is beyond a bound has a mark."""
    missed = figures.misses(attack)

    def mark(name: str, text: str, width: int) -> str:
        return ("!" * (name in missed) + text).rjust(width)

    ends = ", ".join(f"{count} {end}" for end, count in figures.ends.most_common())
    line = (
        f"{attack.name:34} {loop:7} {mark('memory', f'{figures.memory:.1f} MiB', 9)} "
        f"{mark('cpu', f'{figures.cpu:.1f} ms', 8)} {figures.wall:5.1f} ms "
        f"{mark('latency', f'{figures.latency:.0f} ms', 8)} {figures.quiet:5.0f} ms "
        f"{figures.visits:6}  "
        f"{mark('ends', ends, 0)}"
    )
    if "left" in missed:
        line += f"; !{figures.left} connections left"
    if "errors" in missed:
        line += f"; !{len(figures.errors)} errors of the client: {figures.errors[0]}"
    return line


async def try_attack(attack: Attack, loop: str, face: str, attempts: int) -> bool:
    """Run an attack, again if it is beyond a bound; tell whether it held out."""
    for attempt in range(attempts):
        try:
            figures = await measure(attack, loop, face)
        except TimeoutError:
            print(f"{attack.name:34} {loop:7} !no end in {PATIENCE} seconds")
            return False
        again = bool(figures.misses(attack)) and attempt + 1 < attempts
        line = show(attack, loop, figures)
        print(line + ("; once more" if again else ""), flush=True)
        if not again:
            break
    return not figures.misses(attack)


def choose(name: str | None) -> list[Attack]:
    """Return the attacks whose name contains this, or all."""
    return [item for item in ATTACKS.values() if name is None or name in item.name]


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.partition("\n")[0] if __doc__ else None
    )
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], action="append")
    parser.add_argument("--face", choices=["classic", "modern"], default="classic")
    parser.add_argument("--attack", metavar="NAME", help="only those named so")
    parser.add_argument("--attempts", type=int, default=3, metavar="N")
    parser.add_argument("--list", action="store_true", help="show the attacks")
    return parser.parse_args()


def find_loops() -> list[str]:
    """Return the event loops that are there."""
    found = importlib.util.find_spec("uvloop") is not None
    return ["asyncio", "uvloop"] if found else ["asyncio"]


async def main(arguments: argparse.Namespace) -> int:
    """Run the attacks; return the exit status."""
    load()
    chosen = choose(arguments.attack)
    if arguments.list or not chosen:
        print("\n".join(item.name for item in chosen))
        return 0 if chosen else 2
    websockets = importlib.import_module("websockets")
    build = "compiled" if websockets.speedups_available else "pure"
    print(f"websockets {websockets.__version__} ({build}), {arguments.face}")
    print(COLUMNS)
    held = [
        await try_attack(item, loop, arguments.face, arguments.attempts)
        for item in chosen
        for loop in arguments.loop or find_loops()
    ]
    print(f"{sum(held)} of {len(held)} held out")
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main(read_arguments())))
