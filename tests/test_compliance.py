"""Tests of ``compliance/``: that it notices what came out differently."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "compliance"))

import autobahn
import projects
import run as comparing
import venvs

JOB = autobahn.Job("server", "pure", "asyncio", "classic")


def entry(behavior: str = "OK", close: str = "OK") -> dict[str, Any]:
    return {"behavior": behavior, "behaviorClose": close}


@pytest.mark.parametrize(
    ("found", "judged"),
    [
        (entry(), "OK"),
        (entry("NON-STRICT"), "NON-STRICT"),
        (entry("INFORMATIONAL", "INFORMATIONAL"), "INFORMATIONAL"),
        (entry("OK", "FAILED"), "FAILED"),
        (entry("OK", "WRONG CODE"), "FAILED"),
    ],
)
def test_how_a_case_ended(found: dict[str, Any], judged: str) -> None:
    assert autobahn.judge(found) == judged


@pytest.mark.parametrize(
    ("case", "found", "status"),
    [
        ("1.1.1", entry(), 0),
        ("1.1.1", entry("INFORMATIONAL"), 0),
        ("1.1.1", entry("NON-STRICT"), 1),
        ("3.2", entry("NON-STRICT"), 0),
        ("3.2", entry("FAILED"), 1),
        ("7.1.5", entry("FAILED", "WRONG CODE"), 1),
    ],
)
def test_which_cases_are_allowed(
    case: str, found: dict[str, Any], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert autobahn.report({JOB: {case: found}}) == status
    said = capsys.readouterr().out
    assert "server-pure-asyncio-classic" in said
    assert f"cases that the RFCs don't allow: {status}\n" in said


def test_no_case_at_all_is_a_failure() -> None:
    assert autobahn.report({JOB: {}}) == 1


def test_cases_are_listed_by_number(capsys: pytest.CaptureFixture[str]) -> None:
    found = {case: entry("INFORMATIONAL") for case in ["10.1.1", "9.1.1", "9.1.10"]}
    autobahn.report({JOB: found})
    said = capsys.readouterr().out
    assert said.index("9.1.1 ") < said.index("9.1.10") < said.index("10.1.1")


@pytest.mark.parametrize(("words", "status"), [([], 0), (["--require"], 1)])
def test_without_python_2(
    words: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--python2", "/there/is/none", *words]
    assert autobahn.main(arguments) == status
    assert "skipped: the Autobahn|Testsuite runs on Python 2.7 only" in (
        capsys.readouterr().err
    )


@pytest.mark.skipif(os.name == "nt", reason="the script is one for POSIX")
def test_python_2_of_pyenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "versions" / "2.7.99" / "bin" / "python"
    script.parent.mkdir(parents=True)
    script.write_text("#!/bin/sh\necho found\n", encoding="utf-8")
    script.chmod(0o755)
    patterns = [item for item in autobahn.PYTHON2 if "PYENV_ROOT" in item]
    monkeypatch.setattr(autobahn, "PYTHON2", ["no-such-python", *patterns])
    monkeypatch.delenv("PYENV_ROOT", raising=False)
    assert autobahn.find_python2(None) is None
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert autobahn.find_python2(None) == "found"


XML = """<testsuites><testsuite>
<testcase classname="t" name="good"/>
<testcase classname="t" name="bad[1]"><failure/></testcase>
<testcase classname="t" name="messy"/><testcase classname="t" name="messy"><error/>
</testcase><testcase classname="t" name="lazy"><skipped/></testcase>
</testsuite></testsuites>"""

OUTCOMES = {
    "t::good": "passed",
    "t::bad[1]": "failed",
    "t::messy": "error",
    "t::lazy": "skipped",
}


def test_reading_outcomes(tmp_path: Path) -> None:
    log = tmp_path / "log"
    xml = tmp_path / "xml"
    with pytest.raises(venvs.SetupError, match="left no results"):
        comparing.read_outcomes(xml, log)
    xml.write_text(XML, encoding="utf-8")
    assert comparing.read_outcomes(xml, log) == OUTCOMES
    xml.write_text("<testsuites/>", encoding="utf-8")
    with pytest.raises(venvs.SetupError, match="no test ran"):
        comparing.read_outcomes(xml, log)


def test_comparing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = projects.Project(
        requirement="it", needs=(), tests=(), excused={"t::bad[": "Because."}
    )
    before = dict.fromkeys([*OUTCOMES, "t::gone"], "passed")
    runs = [
        comparing.Run("PyPI", "17", before, tmp_path),
        comparing.Run("pure", "15", OUTCOMES, tmp_path),
    ]
    # What is worse, skipped or gone is wrong, except for what is excused.
    assert comparing.report("it-1", project, runs) == 3
    said = capsys.readouterr().out
    assert "pure: passed -> failed: t::bad\n      Because.\n" in said
    assert "pure: passed -> not run: t::gone\n" in said
    assert comparing.report("it-1", project, runs[:1]) == 0


def test_projects() -> None:
    for project in projects.PROJECTS.values():
        assert project.tests
        assert all("::" in name for name in project.excused)
