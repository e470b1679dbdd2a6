"""The table of promises (docs/topics/promises.rst) names tests that exist."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
TABLE = TESTS.parent / "docs" / "topics" / "promises.rst"

_NAMED = re.compile(r"``([\w/]+\.py)::([\w:]+)``")
_LINE = re.compile(r"^    \* - (.+?)\n      - (.+?)(?=^    \* -|^\S|\Z)", re.M | re.S)


@functools.cache
def find_tests(file: str) -> set[str]:
    """Return the names of the tests of a file."""
    found = set()
    for node in ast.parse((TESTS / file).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{name}" for name in _functions(node)}
    return found | _functions(ast.parse((TESTS / file).read_text(encoding="utf-8")))


def _functions(node: ast.ClassDef | ast.Module) -> set[str]:
    kinds = ast.FunctionDef, ast.AsyncFunctionDef
    return {
        item.name
        for item in node.body
        if isinstance(item, kinds) and item.name.startswith("test_")
    }


TEXT = TABLE.read_text(encoding="utf-8")


def test_each_promise_has_a_test() -> None:
    lines = _LINE.findall(TEXT)
    assert len(lines) == TEXT.count("    * - ") > 30
    for promise, tests in lines:
        assert promise.rstrip().endswith("."), promise
        assert _NAMED.findall(tests), promise
        # Nothing is in that column but names.
        assert not re.sub(r"[\s,]", "", _NAMED.sub("", tests)), promise


@pytest.mark.parametrize("file, test", sorted(set(_NAMED.findall(TEXT))))
def test_it_exists(file: str, test: str) -> None:
    assert test in find_tests(file)


@pytest.mark.parametrize("file", ["test_abuse.py", "faces/test_promises.py"])
def test_none_is_left_out(file: str) -> None:
    """What these files try is promised."""
    named = {test for other, test in _NAMED.findall(TEXT) if other == file}
    promised = {"test_abuse.py": 15, "faces/test_promises.py": len(find_tests(file))}
    assert len(named) >= promised[file]
