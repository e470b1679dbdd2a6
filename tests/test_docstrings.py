"""Code in docstrings, which the reference shows, runs as well."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import pathlib
from typing import Any

import pytest

import websockets
from docs_blocks import Block, rst_blocks
from faces.support import echo
from test_docs import NAMES, Stage
from websockets import testing
from websockets.asyncio import server as modern

# Installed, the compiled build has its sources beside what they were compiled to.
SOURCE = pathlib.Path(websockets.__file__).parent

#: Docstrings of what is private, for developers: no code, but sketches.
SKETCHES = {"reader.py"}

#: What stands for something else, and by what it is replaced.
REPLACED = {
    "connect(...)": "connect(uri)",
    "await server.serve_forever()": "server = None",
}


def docstrings() -> list[Block]:
    """Return the blocks of code in all docstrings."""
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        if name in SKETCHES:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            kinds = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef
            if isinstance(node, kinds) and (text := ast.get_docstring(node)):
                for number, (_, kind, code) in enumerate(rst_blocks(text), 1):
                    if kind == "text":
                        continue
                    line = getattr(node, "lineno", 1)
                    page = f"{name}:{getattr(node, 'name', '')}"
                    found.append(Block(page, number, line, kind, code, None))
    return found


BLOCKS = docstrings()


def test_there_are_blocks() -> None:
    assert len(BLOCKS) >= 10


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.page)
def test_block(block: Block, capsys: pytest.CaptureFixture[str]) -> None:
    if "werkzeug" in block.code:
        pytest.importorskip("werkzeug", reason="werkzeug isn't installed")
    code = block.code
    for old, new in REPLACED.items():
        code = code.replace(old, new)
    names: dict[str, Any] = {
        **NAMES,
        "connect": websockets.connect,
        "basic_auth": modern.basic_auth,
        "basic_auth_protocol_factory": websockets.basic_auth_protocol_factory,
        "serve": websockets.serve if "classic" in block.page else modern.serve,
    }

    async def run() -> None:
        async with contextlib.AsyncExitStack() as stack:
            if "server.connect" in code and "as server" not in code:
                server = await stack.enter_async_context(testing.serve(echo))
                names["server"] = server
            stage = Stage(names)
            if block.page.startswith("testing/"):
                # Without the stage's own servers: those are on real sockets.
                flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
                await stage.execute(compile(code, block.page, "exec", flags))
            else:
                await stage.play(block._replace(code=code))

    asyncio.run(run())
