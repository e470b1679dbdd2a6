"""Floor 5, faces: ``websockets --version``: what is running here."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import platform
import zlib
from typing import Any

from ..speedups import compiled
from ..version import version

__all__ = ["describe"]


def describe() -> str:
    """Return the version, and what it runs on, line by line."""
    lines = {
        "build": "compiled" if compiled else "plain Python",
        "Python": f"{platform.python_implementation()} {platform.python_version()}"
        f" on {platform.system()} {platform.machine()}",
        "deflate": _ask("..extensions.deflate") or f"zlib {zlib.ZLIB_RUNTIME_VERSION}",
        "transport": _ask("..asyncio.transports") or "asyncio",
        "event loop": _installed("uvloop") or "asyncio (uvloop isn't installed)",
        "proxies": ", ".join(filter(None, ["HTTP", _installed("python-socks")])),
    }
    width = max(map(len, lines)) + 1
    rest = [f"  {name + ':':{width}} {value}" for name, value in lines.items()]
    return "\n".join([f"websockets {version}", *rest])


def _ask(module: str) -> str | None:
    """Ask a module that chooses among libraries which one it has chosen."""
    try:
        backend: Any = importlib.import_module(module, __package__).backend
    except (ImportError, AttributeError):
        return None
    return str(backend())


def _installed(distribution: str) -> str | None:
    """Return a distribution and its version; None if it isn't installed."""
    try:
        return f"{distribution} {importlib.metadata.version(distribution)}"
    except importlib.metadata.PackageNotFoundError:
        return None
