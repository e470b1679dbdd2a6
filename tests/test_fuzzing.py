"""Tests of ``fuzzing/``: the corpora once more, and that its judges can say no."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fuzzing import model, recipe, run
from fuzzing.targets import TARGETS, Target, open_target

from websockets.protocol import Protocol
from websockets.reader import FrameReader

CORPORA = Path(run.HERE) / "corpus"


def read_corpus(name: str) -> Iterator[bytes]:
    for path in sorted((CORPORA / name).iterdir()):
        yield path.read_bytes()


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest) -> Target:
    return open_target(request.param)


@pytest.mark.parametrize("name", TARGETS)
def test_corpus(name: str) -> None:
    check = open_target(name).check
    count = 0
    for data in read_corpus(name):
        check(data)
        count += 1
    assert count >= 6


def test_what_is_no_target_has_no_corpus() -> None:
    assert {path.name for path in CORPORA.iterdir()} == set(TARGETS)


def test_the_empty_input(target: Target) -> None:
    target.check(b"")
    target.exercise(b"")


# A judge that says yes to everything is none.


@pytest.mark.parametrize(
    ("name", "where", "attribute", "wrong"),
    [
        ("frames", FrameReader, "take_bytes", lambda self: b"wrong"),
        ("protocols", Protocol, "_answer_ping", lambda self, data: None),
    ],
)
def test_what_is_wrong_is_found(
    name: str,
    where: Any,
    attribute: str,
    wrong: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    try:
        monkeypatch.setattr(where, attribute, wrong)
    except TypeError:
        pytest.skip("compiled classes can't be changed")
    check = open_target(name).check
    with pytest.raises(AssertionError):
        for data in read_corpus(name):
            check(data)


# The model.


@pytest.mark.parametrize(
    ("data", "complete", "beginning"),
    [
        (b"", True, True),
        ("é€😀".encode(), True, True),
        ("é".encode()[:1], False, True),
        ("€".encode()[:2], False, True),
        ("😀".encode()[:3], False, True),
        (b"\xff", False, False),
        (b"\xed\xa0", False, False),
        (b"\xf4\x90", False, False),
        (b"\xc0", False, False),
        (b"a\x80", False, False),
    ],
)
def test_what_can_be_text(data: bytes, complete: bool, beginning: bool) -> None:
    assert model.can_be_text(data, True) is complete
    assert model.can_be_text(data, False) is beginning


def test_inflating_with_the_model() -> None:
    inflater = model.Inflater(forgets=False)
    # The examples of RFC 7692, 7.2.3.
    assert inflater.inflate(bytes.fromhex("f248cdc9c90700"), True, 5) == b"Hello"
    assert inflater.inflate(bytes.fromhex("f200110000"), True, 5) == b"Hello"
    assert inflater.inflate(bytes.fromhex("f348cdc9c9070000"), True, 5) == b"Hello"
    with pytest.raises(model.Fault, match="1009"):
        inflater.inflate(bytes.fromhex("f248cdc9c90700"), True, 4)
    with pytest.raises(model.Fault, match="1002"):
        model.Inflater(forgets=True).inflate(bytes.fromhex("f248cdc9"), True, None)


# Recipes.


@pytest.mark.parametrize("pattern", [0, 1, 2, 3, 77])
def test_cutting(pattern: int) -> None:
    data = bytes(range(256)) * 3
    pieces = recipe.cut(data, pattern)
    assert b"".join(pieces) == data
    assert (len(pieces) == 1) is (pattern == 0)
    assert (len(pieces) == len(data)) is (pattern == 1)


def test_recipe() -> None:
    found = recipe.Recipe(b"\x01\x05abc")
    assert (found.byte(), found.choose("ab"), found.take(2)) == (1, "b", b"ab")
    assert found
    assert (found.rest(), found.byte(), bool(found)) == (b"c", 0, False)


def test_differences_are_shown() -> None:
    with pytest.raises(AssertionError, match="here and there differ:\n  1\n  2"):
        recipe.same([("here", 1), ("there", 2)])


# The report.

OUTPUT = """
#100 NEW    cov: 812 ft: 2311 corp: 42/1200b lim: 30 exec/s: 50 rss: 60Mb
#12345 DONE   cov: 820 ft: 2390 corp: 50/1500b lim: 400 exec/s: 500 rss: 70Mb
stat::number_of_executed_units: 12345
stat::average_exec_per_sec:     617
stat::new_units_added:          8
stat::slowest_unit_time_sec:    2
stat::peak_rss_mb:              71
"""


def test_reading_what_libfuzzer_says() -> None:
    assert run.read_figures(OUTPUT) == {
        "inputs": 12345,
        "edges": 820,
        "slowest": 2,
        "memory": 71,
    }
    assert run.read_figures("nothing")["inputs"] == 0
