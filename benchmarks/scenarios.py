"""The table of scenarios: what the load generator does to a server."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple

from peers import Peer


class Scenario(NamedTuple):
    """A kind of load.

    Attributes:
        connections: how many, all opened before the load starts.
        size: payload of a message, in bytes.
        in_flight: messages on the way on each connection; 1 is a closed loop.
        text: text messages instead of binary ones.
        needs: what a peer must offer.
        options: more arguments of the server, the same for every peer.

    """

    connections: int
    size: int
    in_flight: int = 1
    text: bool = False
    needs: frozenset[str] = frozenset(["echo"])
    options: tuple[str, ...] = ()

    def loadgen_arguments(self, peer: Peer) -> list[str]:
        """Return the load generator's arguments for this peer."""
        arguments = [
            f"--connections={self.connections}",
            f"--size={self.size}",
            f"--in-flight={self.in_flight}",
        ]
        if self.text:
            arguments.append("--text")
        if peer.speaks == "raw":
            arguments.append("--raw")
        return arguments


SIZES = {"16B": 16, "256B": 256, "8KiB": 2**13, "64KiB": 2**16, "1MiB": 2**20}

SCENARIOS = {
    **{
        f"echo/c{connections}/{name}/k1": Scenario(connections, size)
        for connections in (1, 32)
        for name, size in SIZES.items()
    },
    "echo/c32/256B/k16": Scenario(32, 256, in_flight=16),
    "echo/c32/256B/k64": Scenario(32, 256, in_flight=64),
    "echo/c32/256B-text/k1": Scenario(32, 256, text=True),
    "echo/c32/256B-text/k16": Scenario(32, 256, in_flight=16, text=True),
}

#: What ``--quick`` measures.
QUICK = ["echo/c32/256B/k1", "echo/c32/256B/k16"]


def select_scenarios(patterns: list[str]) -> list[str]:
    """Return the names of the scenarios that match any pattern.

    Args:
        patterns: as in shells; none for all scenarios.

    Raises:
        ValueError: if a pattern matches nothing.

    """
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in SCENARIOS):
            raise ValueError(f"no scenario matches {pattern!r}; see --list")
    wanted = patterns or ["*"]
    return [name for name in SCENARIOS if any(fnmatchcase(name, p) for p in wanted)]
