"""The runner of ``compliance/abuse`` notices what is beyond a bound."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import websockets
from faces.support import echo, port_of
from websockets import Limits, Rate

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "compliance" / "abuse"))

import arena
import handshakes
import target

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is for Linux")


def load_runner() -> Any:
    """Import run.py by another name: there are several of that one."""
    spec = importlib.util.spec_from_file_location(
        "abuse_run", Path(arena.__file__).with_name("run.py")
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["abuse_run"] = module
    spec.loader.exec_module(module)
    return module


runner = load_runner()

ATTACK = arena.Attack("test", handshakes.silent, {"503"}, memory=10)


def figures(**changes: Any) -> Any:
    good = {
        "memory": 10.0,
        "cpu": 50.0,
        "wall": 500.0,
        "latency": 100.0,
        "quiet": 5.0,
        "visits": 3,
        "errors": [],
        "ends": Counter({"503": 5}),
        "left": 0,
    }
    return runner.Figures(**good | changes)


@pytest.mark.parametrize(
    "changes, missed",
    [
        ({}, set()),
        ({"latency": 105.0}, set()),
        ({"latency": 105.1}, {"latency"}),
        ({"visits": 2}, {"latency"}),
        ({"memory": 10.1}, {"memory"}),
        ({"cpu": 50.1}, {"cpu"}),
        ({"errors": ["OSError: gone"]}, {"errors"}),
        ({"ends": Counter()}, {"ends"}),
        ({"ends": Counter({"503": 5, "still open": 1})}, {"ends"}),
        ({"left": 1}, {"left"}),
    ],
)
def test_misses(changes: dict[str, Any], missed: set[str]) -> None:
    found = figures(**changes)
    assert found.misses(ATTACK) == missed
    # Each is marked.
    assert runner.show(ATTACK, "asyncio", found).count("!") == len(missed)


def test_choosing_attacks() -> None:
    names = {item.name for item in runner.choose("request")}
    assert {"half a request each", "requests byte by byte"} <= names
    assert len(runner.choose(None)) == len(arena.ATTACKS) > 10


def test_limits_from_json() -> None:
    limits = {"connections": 5, "bytes": [1000, 2000], "controls": [5]}
    assert target.make_options({"limits": limits, "max_size": 1}) == {
        "limits": Limits(connections=5, bytes=Rate(1000, 2000), controls=Rate(5)),
        "max_size": 1,
    }


@pytest.mark.parametrize("data, end", [(b"\0", "400"), (b"GET /\r\n", "400")])
async def test_an_arena(data: bytes, end: str) -> None:
    async with websockets.serve(echo, "127.0.0.1", 0) as server:
        place = arena.Arena(port_of(server))
        peer = await place.connect()
        await peer.write(data)
        await place.watch_end(peer)
        other = await place.connect()
        await other.open(b"X-Mine: 1")
        await other.write(arena.frame(8, b"\x03\xe8"))
        await place.watch_end(other)
        with pytest.raises(ConnectionError, match=r"^HTTP/1\.1 400 "):
            await (await place.connect()).open(b"no header")
        place.leave()
        assert place.ends == {end: 1, "close 1000": 1}
