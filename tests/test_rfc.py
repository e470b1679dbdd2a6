"""The tables of rules (tests/rfc) are complete, and name tests that exist."""

from __future__ import annotations

import ast
import functools
from collections import Counter
from itertools import groupby
from pathlib import Path

import pytest

from rfc import KEPT, TABLES, Rule, load, load_keywords

TESTS = Path(__file__).resolve().parent
DOCS = TESTS.parent / "docs" / "topics"
WHOLE = ["rfc6455", "rfc7692"]

RULES = [
    pytest.param(rule, id=f"{table} {rule.at}")
    for table in TABLES
    for rule in load(table)
]


@functools.cache
def find_tests(path: Path) -> set[str]:
    """Return the names of the tests in a file, as pytest collects them."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            found |= {f"{node.name}::{name}" for name in functions(node)}
    return found | set(functions(ast.parse(path.read_text(encoding="utf-8"))))


def functions(node: ast.ClassDef | ast.Module) -> list[str]:
    kinds = ast.FunctionDef, ast.AsyncFunctionDef
    names = [item.name for item in node.body if isinstance(item, kinds)]
    return [name for name in names if name.startswith("test_")]


@pytest.mark.parametrize("rule", RULES)
def test_rule(rule: Rule) -> None:
    assert rule.kept in KEPT
    assert rule.who in ("client", "server", "both")
    assert rule.says.endswith(".")
    # What is kept can be shown; of the rest, it can be said why.
    assert rule.tests or rule.kept != "kept"
    assert rule.why or rule.kept == "kept"
    # Only what is left to us can be left unused.
    assert rule.kept != "not used" or set(rule.keys) == {"MAY"}
    assert len(set(rule.tests)) == len(rule.tests)
    for test in rule.tests:
        name, _, function = test.partition("::")
        assert function in find_tests(TESTS / name), test


@pytest.mark.parametrize("table", WHOLE)
def test_no_sentence_is_left_out(table: str) -> None:
    keywords = load_keywords()[table]
    found: dict[str, Counter[str]] = {}
    for section, rules in groupby(load(table), key=lambda rule: rule.section):
        assert section not in found
        found[section] = Counter()
        numbers = []
        for rule in rules:
            found[section].update(rule.keys)
            if "#" in rule.at:
                assert rule.keys, rule.at
                numbers.append(int(rule.at.rpartition("#")[2]))
            else:
                assert not rule.keys, rule.at
        assert numbers == list(range(1, len(numbers) + 1)), section
    assert {key: dict(counts) for key, counts in found.items() if counts} == keywords


def test_every_test_of_rules_is_named() -> None:
    named = {test for table in TABLES for rule in load(table) for test in rule.tests}
    for name in ["test_rfc6455.py", "test_rfc7692.py", "test_rfc_http.py"]:
        wanted = {f"{name}::{function}" for function in find_tests(TESTS / name)}
        assert wanted <= named


@pytest.mark.skipif(not DOCS.is_dir(), reason="the documentation isn't here")
@pytest.mark.parametrize("table", TABLES)
def test_every_rule_is_on_a_page(table: str) -> None:
    pages = [(DOCS / f"{name}.rst").read_text(encoding="utf-8") for name in WHOLE]
    lines = [line for page in pages for line in page.splitlines()]
    shown = [line.split()[2:] for line in lines if line.startswith(".. rules:: ")]
    assert [table, "counts"] in shown
    if table == "http":
        assert ["http"] in shown
        return
    chapters = list(dict.fromkeys(rule.section.split(".")[0] for rule in load(table)))
    assert [[table, chapter] for chapter in chapters] == [
        names for names in shown if names[0] == table and names[1] != "counts"
    ]
