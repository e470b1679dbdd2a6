"""Real exchanges with WebSocket implementations that others have written.

``exchanges`` has our side of them, in both roles; ``chromium`` drives a browser;
each ``test_*`` module brings in one peer. Where a peer isn't installed, its tests
are skipped; with ``WEBSOCKETS_REQUIRE_PEERS=1`` in the environment they fail.
"""

from __future__ import annotations

import importlib
import os
import pathlib
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
