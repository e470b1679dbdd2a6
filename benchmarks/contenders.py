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

#: Has ours use the extra's transport with TLS too, for which users have to ask.
FAST = {"WEBSOCKETS_TRANSPORT": "aiofastnet"}

ENVIRONMENTS = {
    "ours": Environment(("uvloop",), ours=""),
    "ours-pure": Environment(("uvloop",), ours="", variables=PURE),
    "ours-fast": Environment(("uvloop",), ours="[fast]", variables=FAST),
    "websockets": Environment(("uvloop", "websockets")),
    "picows": Environment(("uvloop", "picows")),
    "aiohttp": Environment(("uvloop", "aiohttp")),
    "plain": Environment(("uvloop",)),
    "plots": Environment(("matplotlib",)),
}


class Peer(NamedTuple):
    """Something to measure.

    Attributes:
        server: the file in ``servers/``, without its suffix.
        environment: a key of :data:`ENVIRONMENTS`.
        client: the file in ``clients/``, without its suffix.
        offers: what it can do; a scenario says what it needs.
        imports: the statements whose time is taken, by scenario.
        speaks: ``websocket``, or ``raw`` for an echo of bytes.
        default: whether it is measured when no peer is named.

    """

    server: str
    environment: str
    client: str | None = None
    offers: frozenset[str] = frozenset()
    imports: dict[str, str] = {}
    speaks: str = "websocket"
    default: bool = True


OURS = "ours"
BASELINE = "websockets-modern"

SERVER = frozenset(["echo", "websocket", "tls"])
WHOLE = SERVER | {"deflate", "client", "client-echo", "import"}
RAW = frozenset(["echo", "tls", "client-echo"])

TOP_LEVEL = {
    "import/package": "import websockets",
    "import/server-and-client": "from websockets import connect, serve",
}
MODERN = {
    "import/package": "import websockets",
    "import/server-and-client": "from websockets.asyncio.client import connect; "
    "from websockets.asyncio.server import serve",
}
PICOWS = {
    "import/package": "import picows",
    "import/server-and-client": "from picows import ws_connect, ws_create_server",
}
PICOWS_COROUTINES = {
    "import/package": "import picows.websockets",
    "import/server-and-client": "from picows.websockets import connect, serve",
}
AIOHTTP = {
    "import/package": "import aiohttp",
    "import/server-and-client": "from aiohttp import ClientSession, web",
}

PEERS = {
    "ours": Peer("ours_classic", "ours", "ours_classic", WHOLE, TOP_LEVEL),
    "ours-pure": Peer("ours_classic", "ours-pure", "ours_classic", WHOLE, TOP_LEVEL),
    "ours-fast": Peer("ours_classic", "ours-fast", "ours_classic", WHOLE, TOP_LEVEL),
    "ours-modern": Peer(
        "websockets_modern", "ours", "websockets_modern", WHOLE, MODERN, default=False
    ),
    "ours-legacy": Peer("websockets_legacy", "ours", offers=SERVER, default=False),
    "websockets-modern": Peer(
        "websockets_modern", "websockets", "websockets_modern", WHOLE, MODERN
    ),
    "websockets-legacy": Peer(
        "websockets_legacy", "websockets", offers=SERVER | {"deflate"}
    ),
    "aiohttp": Peer("aiohttp_server", "aiohttp", "aiohttp_client", WHOLE, AIOHTTP),
    "picows-callbacks": Peer(
        "picows_callbacks",
        "picows",
        "picows_callbacks",
        SERVER | {"client", "client-echo", "import"},
        PICOWS,
    ),
    "picows-coroutines": Peer(
        "picows_coroutines", "picows", "picows_coroutines", WHOLE, PICOWS_COROUTINES
    ),
    "raw-echo": Peer("raw_echo", "plain", "raw_echo", RAW, speaks="raw"),
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
