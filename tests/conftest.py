"""What all tests share: the event loops they run on, and that they leave nothing."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import hypothesis
import pytest

from faces.support import FACES, Face, Logs, is_classic_only
from peers import hold_ports
from websockets.testing import VirtualClock, virtual_time

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

# How long an example takes says more about the machine than about the code; every
# test has its time limit.
hypothesis.settings.register_profile("websockets", deadline=None)
hypothesis.settings.load_profile("websockets")


def _make_uvloop() -> asyncio.AbstractEventLoop:
    uvloop = pytest.importorskip("uvloop", reason="uvloop isn't installed")
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


LOOPS: dict[str, LoopFactory] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": _make_uvloop,
}


def pytest_asyncio_loop_factories(config: Any, item: Any) -> dict[str, LoopFactory]:
    """Run every asynchronous test on each of these event loops.

    Time can only be virtual on asyncio's own.
    """
    if "clock" in item.fixturenames:
        return {"asyncio": asyncio.SelectorEventLoop}
    names = os.environ.get("WEBSOCKETS_TEST_LOOPS", "asyncio,uvloop")
    return {name: LOOPS[name] for name in names.split(",")}


@pytest.fixture(autouse=True, scope="session")
def _no_proxies() -> Iterator[None]:
    """Have no proxy between clients and servers, whatever the environment says."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.lower().endswith("_proxy"):
                patch.delenv(name)
        yield


@pytest.fixture
def port() -> Iterator[int]:
    """Give a port for a program to listen on."""
    with hold_ports(1) as [port]:
        yield port


@pytest.fixture
async def clean_loop() -> AsyncIterator[list[dict[str, Any]]]:
    """Fail a test that leaves tasks or exceptions that nobody looked at.

    A test that expects the event loop to report something clears this list.
    """
    loop = asyncio.get_running_loop()
    reported: list[dict[str, Any]] = []

    def report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # aiofastnet tells of clients that leave in the middle of a TLS handshake.
        if context.get("exception") is not ConnectionResetError:
            reported.append(context)

    loop.set_exception_handler(report)
    before = asyncio.all_tasks()
    yield reported
    # Whatever was about to end may do so.
    for _ in range(20):
        left = asyncio.all_tasks() - before - {asyncio.current_task()}
        if not left:
            break
        await asyncio.sleep(0)
    gc.collect(1)
    assert not left
    assert not reported


@pytest.fixture
async def clock() -> AsyncIterator[VirtualClock]:
    """Have time pass when nothing else happens."""
    async with virtual_time() as clock:
        yield clock


@pytest.fixture
def logs() -> Iterator[Logs]:
    """Collect all log records of the package, debug ones included."""
    logger = logging.getLogger("websockets")
    collector = Logs()
    level = logger.level
    logger.addHandler(collector)
    logger.setLevel(logging.DEBUG)
    yield collector
    logger.removeHandler(collector)
    logger.setLevel(level)


@pytest.fixture(params=FACES, ids=str)
def face(request: pytest.FixtureRequest) -> Face:
    """Give each face in turn."""
    chosen: Face = request.param
    if chosen.name == "modern" and is_classic_only(
        request.module.__name__, request.node.originalname
    ):
        pytest.skip("the modern API has this in another shape")
    return chosen
