"""The table of peers: what is measured, and in which virtual environment."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent


class Environment(NamedTuple):
    """A virtual environment, and what is installed in it.

    Attributes:
        requirements: what pip installs from PyPI, the newest there is.
        ours: None, or the extras with which this repository is installed, as pip
            writes them (an empty string for none).
        variables: environment variables while installing and while running.

    """

    requirements: tuple[str, ...] = ()
    ours: str | None = None
    variables: dict[str, str] = {}


#: Tells the build and the import of ours to do without compiled modules.
PURE = {"WEBSOCKETS_SPEEDUPS": "0"}

ENVIRONMENTS = {
    "ours": Environment(("uvloop",), ours=""),
    "ours-pure": Environment(("uvloop",), ours="", variables=PURE),
    "ours-fast": Environment(("uvloop",), ours="[fast]"),
    "websockets": Environment(("uvloop", "websockets")),
    "picows": Environment(("uvloop", "picows")),
    "aiohttp": Environment(("uvloop", "aiohttp")),
    "plain": Environment(("uvloop",)),
}


class Peer(NamedTuple):
    """An echo server to measure.

    Attributes:
        server: the file in ``servers/``, without its suffix.
        environment: a key of :data:`ENVIRONMENTS`.
        offers: what it can do; a scenario names what it needs.
        speaks: ``websocket``, or ``raw`` for an echo of bytes.
        default: whether it is measured when no peer is named.

    """

    server: str
    environment: str
    offers: frozenset[str] = frozenset(["echo"])
    speaks: str = "websocket"
    default: bool = True


OURS = "ours"
BASELINE = "websockets-modern"

PEERS = {
    "ours": Peer("ours_classic", "ours"),
    "ours-pure": Peer("ours_classic", "ours-pure"),
    "ours-fast": Peer("ours_classic", "ours-fast"),
    "ours-modern": Peer("websockets_modern", "ours", default=False),
    "ours-legacy": Peer("websockets_legacy", "ours", default=False),
    "websockets-modern": Peer("websockets_modern", "websockets"),
    "websockets-legacy": Peer("websockets_legacy", "websockets"),
    "aiohttp": Peer("aiohttp_server", "aiohttp"),
    "picows-callbacks": Peer("picows_callbacks", "picows"),
    "picows-coroutines": Peer("picows_coroutines", "picows"),
    "raw-echo": Peer("raw_echo", "plain", speaks="raw"),
}


def has_extra(name: str) -> bool:
    """Whether this repository's package has an extra of this name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return name in project.get("optional-dependencies", {})


def select_peers(patterns: list[str]) -> list[str]:
    """Return the names of the peers that match any pattern.

    Args:
        patterns: as in shells; none for all peers that are measured by default.

    Raises:
        ValueError: if a pattern matches nothing.

    """
    missing = {"ours-fast"} if not has_extra("fast") else set()
    known = [name for name in PEERS if name not in missing]
    if not patterns:
        return [name for name in known if PEERS[name].default]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            raise ValueError(f"no peer matches {pattern!r}; there are {known}")
    return [name for name in known if any(fnmatchcase(name, p) for p in patterns)]
