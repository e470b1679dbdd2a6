"""Import address of old: other modules have these names."""

from __future__ import annotations

from .datastructures import Headers, MultipleValuesError
from .http11 import SERVER, USER_AGENT

__all__ = ["SERVER", "USER_AGENT", "Headers", "MultipleValuesError"]
