"""What users' imports bring in, and what they leave for its first use."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

# Most of the time of an import went into these. Some are for what few connections do
# (random: connecting again, hmac: passwords), some for what one side alone does
# (urllib.parse, ipaddress), and for some there is something lighter (email).
HEAVY = {
    *["_hashlib", "hashlib", "hmac", "random", "secrets", "uuid"],
    *["email", "http.client", "urllib", "ipaddress", "xml"],
    *["calendar", "datetime", "platform", "tempfile", "shutil", "pathlib"],
    *["argparse", "importlib.metadata", "unittest"],
    *["aiofastnet", "isal", "python_socks", "uvloop", "werkzeug", "zlib_ng"],
}

# Of ours: what needs a call of its own before it's of any use.
LATER = {
    "websockets.asyncio.router",
    "websockets.asyncio.routing",
    "websockets.classic.auth",
    "websockets.classic.handshake",
    "websockets.cli",
    "websockets.legacy",
    "websockets.streams",
}

# What one side doesn't need of the other.
CLIENTS_ALONE = {
    "websockets.asyncio.dialing",
    "websockets.asyncio.proxying",
    "websockets.asyncio.connecting",
    "websockets.proxy",
    "websockets.session.backoff",
}
SERVERS_ALONE = {
    "websockets.asyncio.listening",
    "websockets.asyncio.credentials",
}

# Whatever asyncio or the environment brings in on its own isn't our doing.
PROGRAM = """
import asyncio, json, sys
before = set(sys.modules)
{statements}
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def imported_by(statements: str) -> set[str]:
    """Return the modules that statements import in a new interpreter."""
    program = PROGRAM.format(statements=statements)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        check=True,
        stdout=subprocess.PIPE,
    )
    return set(json.loads(done.stdout))


def within(modules: set[str], unwanted: set[str]) -> set[str]:
    """Return which of the modules, and of those inside of them, are there."""
    prefixes = tuple(f"{name}." for name in unwanted)
    return {name for name in modules if f"{name}.".startswith(prefixes)}


FRONT_DOOR = "from websockets import connect, serve"
MODERN_CLIENT = "from websockets.asyncio.client import connect"
MODERN_SERVER = "from websockets.asyncio.server import serve"


@pytest.mark.parametrize(
    "statements",
    [
        FRONT_DOOR,
        f"{MODERN_CLIENT}; {MODERN_SERVER}",
        "from websockets.client import ClientProtocol\n"
        "from websockets.server import ServerProtocol",
        "import websockets; websockets.broadcast; websockets.Headers",
        "from websockets.exceptions import ConnectionClosed, InvalidStatusCode",
    ],
)
def test_heavy_modules_wait_for_their_first_use(statements: str) -> None:
    modules = imported_by(statements)
    assert any(name.startswith("websockets.") for name in modules)
    assert not within(modules, HEAVY | LATER)


@pytest.mark.parametrize(
    ("statements", "others"),
    [
        ("from websockets import serve", CLIENTS_ALONE),
        ("from websockets import connect", SERVERS_ALONE),
        (MODERN_SERVER, CLIENTS_ALONE),
        (MODERN_CLIENT, SERVERS_ALONE),
    ],
)
def test_a_side_does_without_the_other(statements: str, others: set[str]) -> None:
    modules = imported_by(statements)
    assert any(name.startswith("websockets.") for name in modules)
    assert not within(modules, others)


def test_package_alone_brings_nothing() -> None:
    modules = imported_by("import websockets")
    assert within(modules, {"websockets"}) == {
        "websockets",
        "websockets.imports",
        "websockets.version",
    }


def test_modules_are_noticed() -> None:
    # The other tests would pass if this didn't find anything.
    modules = imported_by("import email.utils, websockets.asyncio.router")
    assert within(modules, HEAVY) >= {"email", "email.utils"}
    assert within(modules, LATER) >= {"websockets.asyncio.router"}
    assert within(modules, {"websockets.asyncio.rout"}) == set()
