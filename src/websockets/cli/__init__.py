"""Floor 5, faces: the command line, ``websockets`` and ``python -m websockets``."""

from __future__ import annotations

from .command import main

__all__ = ["main"]
