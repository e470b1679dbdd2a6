"""The targets: what is fuzzed, and how it is judged."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["TARGETS", "Target", "open_target"]


class Target(NamedTuple):
    """
    Something that is fuzzed.

    Attributes:
        check: raises an exception if what is made of an input isn't right.
        exercise: has the library work on an input, without judging it.
        modules: those parts of the library that it is about.

    """

    check: Callable[[bytes], None]
    exercise: Callable[[bytes], None]
    modules: tuple[str, ...]


#: The modules of the library that each target is about.
TARGETS = {
    "frames": ("reader", "speedups"),
    "protocols": ("protocol", "reader", "frames", "session/session", "session/inbox"),
    "requests": ("http11", "httplines", "server", "datastructures"),
    "responses": ("http11", "httplines", "client", "datastructures"),
    "headers": ("headers",),
    "negotiation": ("extensions/permessage_deflate", "headers"),
    "inflate": ("extensions/permessage_deflate", "extensions/deflate"),
    "addresses": ("uri", "proxy"),
}


def open_target(name: str) -> Target:
    """Import what a target needs."""
    module = importlib.import_module(f"{__name__}.{name}")
    return Target(module.check, module.exercise, TARGETS[name])
