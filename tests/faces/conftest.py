"""Every behaviour test must leave its event loop clean."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _clean(clean_loop: list[dict[str, Any]]) -> None:
    """See ``clean_loop``."""
