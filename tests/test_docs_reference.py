"""Every public name is on a page of the reference."""

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest

import websockets
from docs_blocks import DOCS

#: Modules that users import names from.
PUBLIC = [
    "websockets",
    "websockets.asyncio.client",
    "websockets.asyncio.connection",
    "websockets.asyncio.router",
    "websockets.asyncio.server",
    "websockets.auth",
    "websockets.client",
    "websockets.connection",
    "websockets.datastructures",
    "websockets.exceptions",
    "websockets.extensions",
    "websockets.extensions.base",
    "websockets.extensions.permessage_deflate",
    "websockets.frames",
    "websockets.headers",
    "websockets.http",
    "websockets.http11",
    "websockets.legacy.auth",
    "websockets.legacy.client",
    "websockets.legacy.exceptions",
    "websockets.legacy.handshake",
    "websockets.legacy.protocol",
    "websockets.legacy.server",
    "websockets.protocol",
    "websockets.proxy",
    "websockets.server",
    "websockets.streams",
    "websockets.testing",
    "websockets.typing",
    "websockets.uri",
    "websockets.version",
]

DIRECTIVE = re.compile(
    r"^\.\. (?:py:)?(auto\w+|data|module|currentmodule):: (\S+)\n((?:    :.*\n)*)",
    re.MULTILINE,
)


def documented() -> set[str]:
    """Return the full names that pages of the reference, and topics, describe."""
    names = set()
    for page in DOCS.rglob("*.rst"):
        module = ""
        for kind, name, options in DIRECTIVE.findall(page.read_text(encoding="utf-8")):
            if kind in ("module", "currentmodule"):
                module = name + "."
            elif kind == "automodule":
                module = name + "."
                names |= {module + member for member in members(name, options)}
            else:
                names.add(name if name.startswith("websockets.") else module + name)
    return names


def members(module: str, options: str) -> list[str]:
    """Return which names a directive for a whole module describes."""
    if ":no-members:" in options:
        return []
    if listed := re.search(r":members: (.+)", options):
        return listed[1].split(", ")
    return list(importlib.import_module(module).__all__)


DOCUMENTED = documented()


def identities() -> tuple[set[int], set[str]]:
    """Return what is described: objects, whatever their addresses, and full names."""
    objects = set()
    for full in DOCUMENTED:
        module, _, name = full.rpartition(".")
        value: Any = getattr(importlib.import_module(module), name)
        if not isinstance(value, (str, bool, int, type(None))):
            objects.add(id(value))
    return objects, DOCUMENTED


@pytest.mark.parametrize("module", PUBLIC)
def test_every_name_is_described(module: str) -> None:
    objects, names = identities()
    imported = importlib.import_module(module)
    ends = {name.rpartition(".")[2] for name in names}
    missing = []
    for name in imported.__all__:
        value = getattr(imported, name)
        simple = isinstance(value, (str, bool, int, type(None)))
        found = name in ends if simple else id(value) in objects
        # Types that are names for others aren't objects of their own.
        found = found or f"{module}.{name}" in names
        if not found:
            missing.append(name)
    assert missing == []


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_everything_described_has_a_docstring(name: str) -> None:
    module, _, last = name.rpartition(".")
    value = getattr(importlib.import_module(module), last)
    if isinstance(value, type) or callable(value):
        assert (value.__doc__ or "").strip(), f"{name} has no docstring"


def test_public_modules_are_all_that_documentation_names() -> None:
    modules = {name.rpartition(".")[0] for name in DOCUMENTED}
    known = {*PUBLIC, "websockets.classic.handshake", "websockets.session.limits"}
    known |= {"websockets.asyncio.transports", "websockets.extensions.deflate"}
    known |= {"websockets.session.stats"}
    assert modules <= known
    assert websockets.__all__
