"""Floor 5, faces: ``websockets --version``: what is running here."""

from __future__ import annotations

import importlib.metadata
import platform
import zlib
from collections.abc import Callable

from ..asyncio.transports import transports
from ..extensions.deflate import backend
from ..speedups import compiled
from ..version import version

__all__ = ["describe"]


def describe() -> str:
    """Return the version, and what it runs on, line by line."""
    lines = {
        "build": "compiled" if compiled else "plain Python",
        "Python": f"{platform.python_implementation()} {platform.python_version()}"
        f" on {platform.system()} {platform.machine()}",
        "deflate": _chosen(backend),
        "transport": _chosen(transports),
        "event loop": _installed("uvloop") or "asyncio (uvloop isn't installed)",
        "proxies": ", ".join(filter(None, ["HTTP", _installed("python-socks")])),
    }
    width = max(map(len, lines)) + 1
    rest = [f"  {name + ':':{width}} {value}" for name, value in lines.items()]
    return "\n".join([f"websockets {version}", *rest])


def _chosen(choose: Callable[[], str]) -> str:
    """Return which library was chosen, or why none could be."""
    try:
        name = choose()
    except (ImportError, ValueError) as exc:
        return f"none: {exc}"
    if name == "zlib":
        return f"zlib {zlib.ZLIB_RUNTIME_VERSION}"
    return _installed(name) or name


def _installed(distribution: str) -> str | None:
    """Return a distribution and its version; None if it isn't installed."""
    try:
        return f"{distribution} {importlib.metadata.version(distribution)}"
    except importlib.metadata.PackageNotFoundError:
        return None
