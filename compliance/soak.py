"""A mixed load on many connections, with random faults: nothing wrong, nothing left.

    python compliance/soak.py [--minutes 10 | --seconds 20] [--connections 1000]
        [--seed N] [--face classic|modern] [--loop asyncio|uvloop]

A server and clients, each in a process of its own, exchange messages: small and large,
text and binary, compressed and not, in one piece and in fragments; with pings,
broadcasts, and clients that are slow to receive. Connections end in all ways that there
are, and once in a while all clients of a process are killed. Every message that comes
back is compared with what was sent. The table shows what was counted; the status is 1
if a message was wrong, if something was left, or if memory grew. The library is the one
that this interpreter has. Linux only.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from soaking import batches

PROGRAM = Path(__file__).resolve().parent / "soaking.py"

#: Processes with clients that live on to the end; one more is killed now and then.
PROCESSES = 2

#: By how much memory may grow after the warm-up: a part of what there was, and MiB.
GROWTH = (0.1, 8)

#: Seconds below which a run doesn't get warm, and memory is only told.
COLD = 120


class Role:
    """A process of the test.

    Attributes:
        samples: its memory in MiB, with the seconds since the beginning.
        figures: what it told last.

    """

    def __init__(self, name: str, process: Process) -> None:
        self.name = name
        self.process = process
        self.samples: list[tuple[float, float]] = []
        self.figures: dict[str, Any] = {}

    async def ask(self, question: bytes = b"?\n") -> dict[str, Any]:
        """Have it tell its figures; any other question ends it."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(question)
        line = await asyncio.wait_for(self.process.stdout.readline(), 120)
        self.figures = json.loads(line)
        return self.figures

    async def sample(self, at: float) -> None:
        """Note its memory."""
        self.samples.append((at, (await self.ask())["memory"]))

    def growth(self, duration: float) -> tuple[float, float]:
        """Return its memory after the warm-up and at the end: medians of samples."""
        warm = [
            mib for at, mib in self.samples if 0.2 * duration <= at < 0.4 * duration
        ]
        late = [mib for at, mib in self.samples if at >= 0.8 * duration]
        return statistics.median(warm or [0]), statistics.median(late or [0])


@contextlib.asynccontextmanager
async def running(name: str, *arguments: object) -> AsyncIterator[Role]:
    """Run the server or clients; kill them at the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(PROGRAM), *map(str, arguments)), stdin=PIPE, stdout=PIPE
    )
    try:
        yield Role(name, process)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def common(options: argparse.Namespace) -> list[object]:
    """Return the arguments that all processes get."""
    return ["--face", options.face, "--loop", options.loop, "--seed", options.seed]


async def kill_clients(options: argparse.Namespace, load: list[object]) -> None:
    """Run clients and kill them, again and again."""
    while True:
        async with running("killed", "clients", *load, "--connections", 20):
            await asyncio.sleep(max(3.0, options.duration / 20))


async def soak(options: argparse.Namespace) -> list[Role]:
    """Run the test; return all processes with their last figures."""
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(
            running("server", "server", *common(options))
        )
        assert server.process.stdout is not None
        port = int(await server.process.stdout.readline())
        ramp = options.duration / 20
        load = [*common(options), "--port", port, "--ramp", ramp]
        load += ["--life", max(5.0, options.duration / 20)]
        roles = [server]
        for index, count in enumerate(batches(options.connections, PROCESSES)):
            arguments = [*load, "--connections", count, "--seed", options.seed + index]
            role = running(f"clients {index + 1}", "clients", *arguments)
            roles.append(await stack.enter_async_context(role))
        killing = asyncio.create_task(kill_clients(options, load))
        await measure(roles, options)
        killing.cancel()
        await asyncio.wait([killing])
        # The server comes last: it sees all of them leave.
        for role in roles[::-1]:
            await role.ask(b"end\n")
    return roles


async def measure(roles: list[Role], options: argparse.Namespace) -> None:
    """Note everyone's memory until the time is over."""
    began = time.monotonic()
    interval = min(5.0, options.duration / 40)
    while (passed := time.monotonic() - began) < options.duration:
        for role in roles:
            await role.sample(passed)
        if options.verbose:
            print(f"{passed:5.0f} s", [role.samples[-1][1] for role in roles])
        await asyncio.sleep(interval)


def misses(role: Role, duration: float) -> list[str]:
    """Return what isn't as it should be."""
    figures = role.figures
    before, after = role.growth(duration)
    found = {
        "wrong messages": figures.get("wrong", 0),
        "tasks left": figures["tasks"],
        "files left": figures["files"],
        "connections left": figures.get("connections", 0),
        "reported errors": len(figures["errors"]),
        "memory": duration >= COLD and after > before * (1 + GROWTH[0]) + GROWTH[1],
        "nothing exchanged": not figures.get("exchanged", figures.get("messages")),
    }
    return [f"{role.name}: {name} ({what})" for name, what in found.items() if what]


def report(roles: list[Role], duration: float) -> int:
    """Print the figures; return the exit status."""
    clients = [role.figures for role in roles[1:]]
    total = {name: sum(f[name] for f in clients) for name in _COUNTS}
    print(f"messages exchanged and compared   {total['exchanged']:,}")
    print(f"bytes of these                    {total['size']:,}")
    print(f"broadcasts received               {total['news']:,}")
    print(f"pings answered                    {total['pings']:,}")
    print(f"connections                       {total['opened']:,}")
    print(f"faults injected                   {total['faults']:,}")
    print(f"wrong, lost or doubled messages   {total['wrong']:,}")
    header = f"{'':12}{'MiB warm':>9}{'at the end':>11}{'tasks':>7}{'files':>7}"
    print(f"\n{header}{'errors':>8}{'longest stall':>15}")
    for role in roles:
        before, after = role.growth(duration)
        counts = role.figures
        print(
            f"{role.name:12}{before:9.1f}{after:11.1f}{counts['tasks']:7}"
            f"{counts['files']:7}{len(counts['errors']):8}"
            f"{counts['stall'] * 1000:12.0f} ms"
        )
    found = [miss for role in roles for miss in misses(role, duration)]
    for role in roles:
        print(*role.figures["errors"][:10], sep="\n", end="")
    print("\n" + ("\n".join(f"MISS {miss}" for miss in found) or "ok"))
    return 1 if found else 0


_COUNTS = ["exchanged", "size", "news", "pings", "opened", "faults", "wrong"]


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    time_group = parser.add_mutually_exclusive_group()
    time_group.add_argument("--minutes", type=float, default=10.0)
    time_group.add_argument("--seconds", type=float)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--face", choices=["classic", "modern"], default="classic")
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument("--verbose", action="store_true")
    return parser


def main() -> int:
    """Run the test; return its exit status."""
    options = make_parser().parse_args()
    options.duration = options.seconds or 60 * options.minutes
    return report(asyncio.run(soak(options)), options.duration)


if __name__ == "__main__":
    sys.exit(main())
