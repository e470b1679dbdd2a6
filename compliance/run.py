#!/usr/bin/env python3
"""Run other projects' own WebSocket tests with our library installed.

Each project gets a virtual environment. Its tests run there with PyPI's
``websockets`` first, then with ours in its place, on both builds; what came out
differently is listed. See README.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from projects import PROJECTS, RUNNER, Project
from venvs import (
    BUILDS,
    ENVS,
    ROOT,
    SetupError,
    call,
    clean_variables,
    describe,
    fetch_source,
    install_ours,
    make_environment,
    pip,
    say,
)

#: How long one project's tests may take on one build, in seconds, and one test.
SUITE_TIMEOUT = 1800.0
TEST_TIMEOUT = 60

#: How much memory the tests may take, in bytes.
MEMORY = 4 << 30

#: From best to worst: a test that passed but failed to clean up is an error.
OUTCOMES = ("passed", "skipped", "failed", "error")

#: What pytest's results call them; where there is none of these, a test passed.
TAGS = {"skipped": "skipped", "failure": "failed", "error": "error"}

#: Outcomes that need a reason; None is a test that did not run.
BAD = ("failed", "error")
BAD_OR_GONE = (*BAD, "skipped", None)


class Run(NamedTuple):
    """What came out of one project's tests with one ``websockets``.

    Attributes:
        variant: ``PyPI``, ``pure`` or ``compiled``.
        version: what the environment says about its ``websockets``.
        outcomes: from each test's name to one of :data:`OUTCOMES`.
        log: where pytest's output is.

    """

    variant: str
    version: str
    outcomes: dict[str, str]
    log: Path


class Difference(NamedTuple):
    """A test that came out differently with ours.

    Attributes:
        variant: ours, as in :class:`Run`.
        test: the test's name.
        before: its outcome with PyPI's; None if it did not run there.
        after: its outcome with ours; None if it did not run there.
        excuse: why that is no fault of ours; None if nobody has said.

    """

    variant: str
    test: str
    before: str | None
    after: str | None
    excuse: str | None


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--project", action="append", choices=PROJECTS, help="repeatable; all")
    add("--build", action="append", choices=BUILDS, help="repeatable; both")
    add("--baseline", metavar="VERSION", help="of PyPI's websockets")
    add("--source", type=Path, default=ROOT, help="another clone to build ours from")
    add("--fresh", action="store_true", help="get releases that came out since")
    add("--list", action="store_true", help="list the projects")
    return parser


def main(argv: list[str] | None = None) -> int | str:
    """Run what the command line asks for; fail if anything is unexplained."""
    options = make_parser().parse_args(argv)
    if options.list:
        print("\n".join(f"{k}: {v.requirement}" for k, v in PROJECTS.items()))
        return 0
    try:
        unexplained = sum(
            check_project(name, options.build or list(BUILDS), options)
            for name in options.project or PROJECTS
        )
    except SetupError as exc:
        return f"run.py: {exc}"
    print(f"\nunexplained differences: {unexplained}")
    return 1 if unexplained else 0


def check_project(name: str, builds: list[str], options: argparse.Namespace) -> int:
    """Run a project's tests with PyPI's and with ours; report; count what's wrong."""
    project = PROJECTS[name]
    source = fetch_source(project.requirement, options.fresh)
    wanted = [project.requirement + project.extras, *project.needs, *RUNNER]
    if "==" in project.requirement:
        wanted[0] = project.requirement.replace("==", f"{project.extras}==")
    python = make_environment(name, wanted, options.fresh)
    baseline = project.baseline
    if options.baseline:
        baseline = f"websockets=={options.baseline}"
    pip(python, "install", "--upgrade", "--force-reinstall", baseline)
    runs = [run_tests(name, "PyPI", python, source)]
    for build in builds:
        install_ours(python, build, options.source)
        # The project's demands on websockets' version hold for ours, too.
        call(python, "-m", "pip", "check")
        runs.append(run_tests(name, build, python, source))
    return report(source.name, project, runs)


def run_tests(name: str, variant: str, python: Path, source: Path) -> Run:
    """Run a project's tests in its environment, as it is now."""
    version = describe(python)
    say(f"testing {source.name} with websockets {version} ({variant})")
    results = ENVS / "results"
    results.mkdir(exist_ok=True)
    log = results / f"{name}-{variant}.log"
    xml = log.with_suffix(".xml")
    xml.unlink(missing_ok=True)
    run_pytest(PROJECTS[name], python, source, log, xml)
    return Run(variant, version, read_outcomes(xml, log), log)


def run_pytest(
    project: Project, python: Path, source: Path, log: Path, xml: Path
) -> None:
    """Run pytest, its output going to one file and its results to another."""
    limit = ["--timeout", str(TEST_TIMEOUT), "--reruns", "2", "-p", "no:cacheprovider"]
    files = ["-c", project.config, "--rootdir", ".", "--junitxml", str(xml)]
    arguments = [*limit, *files, *project.options, *project.tests]
    with log.open("w", encoding="utf-8") as output:
        try:
            subprocess.run(
                [str(python), "-m", "pytest", "-q", *arguments],
                cwd=source,
                env=clean_variables(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=SUITE_TIMEOUT,
                preexec_fn=limit_memory,
            )
        except subprocess.TimeoutExpired:
            raise SetupError(f"the tests did not end: {log}") from None


def limit_memory() -> None:
    """Have what goes wrong go wrong there, and not on the whole machine."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def read_outcomes(xml: Path, log: Path) -> dict[str, str]:
    """Read what became of each test.

    Raises:
        SetupError: if pytest left no results, or no test ran.

    """
    if not xml.exists():
        raise SetupError(f"pytest left no results: see {log}")
    outcomes: dict[str, str] = {}
    for case in ElementTree.parse(xml).iter("testcase"):
        test = f"{case.get('classname')}::{case.get('name')}"
        found = {TAGS.get(child.tag, "passed") for child in case} | {"passed"}
        found.add(outcomes.get(test, "passed"))
        outcomes[test] = max(found, key=OUTCOMES.index)
    if not outcomes:
        raise SetupError(f"no test ran: see {log}")
    return outcomes


# The report.


def report(title: str, project: Project, runs: list[Run]) -> int:
    """Print counts and differences; return how many differences lack an excuse."""
    baseline, *ours = runs
    print(f"\n== {title}")
    columns = "".join(f"{outcome:>9}" for outcome in OUTCOMES)
    print(f"{'websockets':44}{'tests':>9}{columns}")
    for run in runs:
        print(show_counts(run))
    failing = sorted(k for k, v in baseline.outcomes.items() if v in BAD)
    for test in failing:
        print(f"   {baseline.outcomes[test]} with PyPI's: {show_name(test)}")
    differences = [
        difference for run in ours for difference in compare(project, baseline, run)
    ]
    for lines, count in Counter(map(show_difference, differences)).items():
        print(lines.format(count=f" ({count} cases)" if count > 1 else ""))
    return sum(
        each.excuse is None and each.after in BAD_OR_GONE for each in differences
    )


def show_name(test: str) -> str:
    """Return a test's name without its parameters, which may be long."""
    return test.partition("[")[0]


def show_counts(run: Run) -> str:
    """Return a line of counts."""
    counts = Counter(run.outcomes.values())
    columns = "".join(f"{counts[outcome]:9}" for outcome in OUTCOMES)
    return f"{run.variant + ', ' + run.version:44}{len(run.outcomes):9}{columns}"


def compare(project: Project, baseline: Run, run: Run) -> Iterator[Difference]:
    """Yield the tests that came out differently."""
    for test in sorted(baseline.outcomes.keys() | run.outcomes.keys()):
        before, after = baseline.outcomes.get(test), run.outcomes.get(test)
        if before != after:
            excuses = (v for k, v in project.excused.items() if test.startswith(k))
            yield Difference(run.variant, test, before, after, next(excuses, None))


def show_difference(difference: Difference) -> str:
    """Return the lines that tell of a difference, with a place for a count."""
    variant, test, before, after, excuse = difference
    change = f"{before or 'not run'} -> {after or 'not run'}"
    reason = f"\n      {excuse}" if excuse else ""
    return f"   {variant}: {change}: {show_name(test)}{{count}}{reason}"


if __name__ == "__main__":
    sys.exit(main())
