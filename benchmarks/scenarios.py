"""The table of scenarios: what is done to a peer, and what is looked at."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import NamedTuple

from contenders import Peer


class Scenario(NamedTuple):
    """A kind of load, or something else to measure.

    Attributes:
        kind: a key of ``measures.MEASURES``, which says how it is measured.
        connections: how many, all opened before the load starts; for ``memory``,
            how many are added between the first look and the second.
        size: payload of a message, in bytes.
        in_flight: messages on the way on each connection; 1 is a closed loop.
        text: text messages instead of binary ones.
        lines: a key of ``payloads.FILES``, whose lines are the messages; None for
            random bytes.
        deflate: whether connections are compressed.
        tls: whether connections are encrypted.
        ping_interval: seconds between the server's keepalive pings; None for none.
        settle: seconds to wait before a look at the memory.
        steps: numbers of connections at which to look, instead of two.
        lasts: how many times as long as others it is measured: what takes long for
            each message must happen often enough.
        loops: the event loops it is for; None for all.
        rounds: at most so many; None for as many as are asked for.
        default: whether it is measured when no scenario is named.

    """

    kind: str = "echo"
    connections: int = 1
    size: int = 256
    in_flight: int = 1
    text: bool = False
    lines: str | None = None
    deflate: bool = False
    tls: bool = False
    ping_interval: float | None = None
    settle: float = 0.3
    steps: tuple[int, ...] = ()
    lasts: float = 1.0
    loops: tuple[str, ...] | None = None
    rounds: int | None = None
    default: bool = True

    @property
    def needs(self) -> set[str]:
        """What a peer must offer."""
        needs = {NEEDS.get(self.kind, "websocket")}
        features = {"deflate": self.deflate, "tls": self.tls}
        return needs | {name for name, used in features.items() if used}

    def capped(self, most: int) -> Scenario:
        """Return the same with no more than so many connections, without delay."""
        return self._replace(
            connections=min(self.connections, most),
            steps=tuple(sorted({min(step, most) for step in self.steps})),
            settle=0.0,
            lasts=1.0,
        )

    def fits(self, peer: Peer, loop: str) -> bool:
        """Whether this peer can do it, on this loop."""
        return self.needs <= peer.offers and loop in (self.loops or [loop])


#: What a peer needs, unless it is a WebSocket server.
NEEDS = {
    "echo": "echo",
    "instructions": "echo",
    "client-echo": "client-echo",
    "client-flood": "client",
    "client-sink": "client",
    "import": "import",
}

SIZES = {"16B": 16, "256B": 256, "8KiB": 2**13, "64KiB": 2**16, "1MiB": 2**20}

ECHOES = {
    **{
        f"echo/c{connections}/{name}/k1": Scenario(connections=connections, size=size)
        for connections in (1, 32)
        for name, size in SIZES.items()
    },
    "echo/c32/256B/k16": Scenario(connections=32, in_flight=16),
    "echo/c32/256B/k64": Scenario(connections=32, in_flight=64),
    "echo/c32/256B-text/k1": Scenario(connections=32, text=True),
    "echo/c32/256B-text/k16": Scenario(connections=32, in_flight=16, text=True),
    "tls-echo/c32/256B/k1": Scenario(connections=32, tls=True),
    "tls-echo/c32/64KiB/k1": Scenario(connections=32, size=2**16, tls=True),
}

COMPRESSED = Scenario(text=True, deflate=True)

DEFLATED = {
    "deflate-echo/c32/120B/k1": COMPRESSED._replace(connections=32, lines="120B"),
    "deflate-echo/c32/50KB/k1": COMPRESSED._replace(connections=32, lines="50KB"),
    "deflate-broadcast/c1000/600B": COMPRESSED._replace(
        kind="broadcast", connections=1000, in_flight=2, lines="600B", lasts=2.0
    ),
    "deflate-broadcast/c1000/50KB": COMPRESSED._replace(
        kind="broadcast", connections=1000, in_flight=2, lines="50KB", lasts=6.0
    ),
}

FLOODS = {
    "receive/c4/256B": Scenario("sink", connections=4),
    "receive/c4/64KiB": Scenario("sink", connections=4, size=2**16),
    "send/c4/256B": Scenario("flood", connections=4),
    "send/c4/64KiB": Scenario("flood", connections=4, size=2**16),
    "broadcast/c1000/256B": Scenario(
        "broadcast", connections=1000, in_flight=4, lasts=2.0
    ),
}

LIVES = {
    "connect/c32": Scenario("connect", connections=32),
    "memory/plain": Scenario("memory", connections=1000, rounds=2),
    # After a few keepalive pings, what idle connections need not hold is released.
    "memory/deflate": Scenario(
        "memory",
        connections=1000,
        lines="600B",
        text=True,
        deflate=True,
        ping_interval=1.0,
        settle=3.5,
        rounds=2,
    ),
    "memory/tls": Scenario("memory", connections=1000, tls=True, rounds=2),
    "import/package": Scenario("import", loops=("asyncio",)),
    "import/server-and-client": Scenario("import", loops=("asyncio",)),
}

CLIENTS = {
    "client/echo/c1/256B/k1": Scenario("client-echo"),
    "client/echo/c32/256B/k1": Scenario("client-echo", connections=32),
    "client/echo/c32/256B/k16": Scenario("client-echo", 32, in_flight=16),
    "client/echo/c32/64KiB/k1": Scenario("client-echo", 32, size=2**16),
    "client/receive/c4/256B": Scenario("client-flood", connections=4),
    "client/send/c4/256B": Scenario("client-sink", connections=4),
}

#: As the work grows; only when named, or for the documentation.
GROWTH = {
    **{
        f"growth/echo/c{connections}": Scenario(
            connections=connections,
            lasts=max(1.0, connections / 2000),
            rounds=2,
            default=False,
        )
        for connections in (1, 10, 100, 1000, 10_000)
    },
    "growth/memory": Scenario(
        "memory",
        connections=10_000,
        steps=(100, 300, 1000, 3000, 10_000),
        rounds=1,
        default=False,
    ),
}

#: With callgrind: exact, but slow.
INSTRUCTIONS = {
    f"instructions/c8/256B/k{in_flight}": Scenario(
        "instructions", connections=8, in_flight=in_flight, rounds=1, default=False
    )
    for in_flight in (1, 16)
}

SCENARIOS = {
    **ECHOES,
    **FLOODS,
    **DEFLATED,
    **LIVES,
    **CLIENTS,
    **GROWTH,
    **INSTRUCTIONS,
}

#: What ``--quick`` measures, unless scenarios are named.
QUICK = ["echo/c32/256B/k1", "echo/c32/256B/k16"]


def select_scenarios(patterns: list[str]) -> list[str]:
    """Return the names of the scenarios that match any pattern.

    Args:
        patterns: as in shells; none for all that are measured by default.

    Raises:
        ValueError: if a pattern matches nothing.

    """
    if not patterns:
        return [name for name in SCENARIOS if SCENARIOS[name].default]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in SCENARIOS):
            raise ValueError(f"no scenario matches {pattern!r}; see --list")
    return [name for name in SCENARIOS if any(fnmatchcase(name, p) for p in patterns)]
