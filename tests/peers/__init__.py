"""Real exchanges with WebSocket implementations that others have written.

``exchanges`` has our side of them, in both roles; ``chromium`` drives a browser;
each ``test_*`` module brings in one peer. Where a peer isn't installed, its tests
are skipped; with ``WEBSOCKETS_REQUIRE_PEERS=1`` in the environment they fail.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pathlib
import socket
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest

HERE = pathlib.Path(__file__).parent


def missing(reason: str) -> NoReturn:
    """Skip what is being collected or run; fail where peers are required."""
    if os.environ.get("WEBSOCKETS_REQUIRE_PEERS") == "1":
        pytest.fail(f"WEBSOCKETS_REQUIRE_PEERS=1, but {reason}", pytrace=False)
    pytest.skip(reason, allow_module_level=True)


def import_peer(name: str, distribution: str) -> Any:
    """Import a peer, or do without its tests."""
    try:
        return importlib.import_module(name)
    except ImportError as exc:
        missing(f"{distribution} isn't installed (pip install .[peers]): {exc}")


@contextlib.contextmanager
def hold_ports(count: int) -> Iterator[list[int]]:
    """Give ports for programs to listen on, which nobody else gets meanwhile.

    A port that is only known to be free may be another's by the time it's used: the
    system hands them out to all who connect. It doesn't hand out those that are bound;
    on Linux, whoever sets SO_REUSEADDR, as servers do, may listen there nevertheless.
    """
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(socket.socket()) for _ in range(count)]
        for sock in socks:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", 0))
        ports = [sock.getsockname()[1] for sock in socks]
        if sys.platform != "linux":
            stack.close()
        yield ports
