#!/usr/bin/env python3
"""Run the Autobahn|Testsuite against our servers and clients: one command for all.

Both roles, both builds, on asyncio and uvloop, compression included. See README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from venvs import (
    BUILDS,
    ENVS,
    HERE,
    ROOT,
    SetupError,
    build_wheel,
    call,
    clean_variables,
    make_environment,
    pip,
    say,
)

ROLES = ("server", "client")
LOOPS = ("asyncio", "uvloop")

#: Everything, and a selection that takes well under a minute: nothing that waits or
#: measures, and a few of the cases with compression.
ALL = ["*"]
SHORT = [
    *("1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*", "12.1.1", "12.2.1"),
    *("12.3.1", "12.5.1", "13.1.1", "13.3.1", "13.5.1", "13.7.1"),
]
NOT_SHORT = ["6.4.*"]

#: What wstest calls the cases to run and those not to.
Cases = dict[str, list[str]]

#: How the cases may end, from best to worst.
BEHAVIORS = ("OK", "INFORMATIONAL", "NON-STRICT", "UNIMPLEMENTED", "FAILED")

#: Endings that need no reason.
GOOD = {"OK", "INFORMATIONAL"}

_AT_ONCE = (
    "the message before the violation came together with the response that opened the "
    "connection, which failed before the application could answer; it did get the "
    "message. RFC 6455 lets us send the close frame at once (7.1.7), and nothing after "
    "it (5.5.1)"
)

#: Cases that may be other than OK, how they may end, and why the RFCs allow that.
ALLOWED = {
    **dict.fromkeys(["3.2", "3.3", "3.4"], ("NON-STRICT", _AT_ONCE)),
    **dict.fromkeys(["4.1.3", "4.1.4", "4.1.5"], ("NON-STRICT", _AT_ONCE)),
    **dict.fromkeys(["4.2.3", "4.2.4", "4.2.5"], ("NON-STRICT", _AT_ONCE)),
    "5.15": ("NON-STRICT", _AT_ONCE),
}

#: How long one run may take, in seconds, also on a machine that is busy; and wstest
#: to listen.
RUN_TIMEOUT = 7200.0
START_TIMEOUT = 60.0

#: The test suite is written in Python 2; these are where one may be.
PYTHON2 = [
    *("python2.7", "python2", "pypy2.7", "pypy"),
    *("$PYENV_ROOT/versions/2.7*/bin/python", "~/.pyenv/versions/2.7*/bin/python"),
    *("/opt/pyenv/versions/2.7*/bin/python", "/opt/python2*/bin/python2.7"),
]

#: Some cases cut 4 MiB into frames of 64 bytes: far more frames than our limit for a
#: message, which protects servers. It is out of the way here, as max_size is.
VARIABLES = {"WEBSOCKETS_MAX_FRAGMENTS": str(2**17)}

#: Run by a candidate.
IS_PYTHON2 = "import sys; assert sys.version_info[:2] == (2, 7); print(sys.executable)"


class Job(NamedTuple):
    """One run of the test suite.

    Attributes:
        role: what we are: ``server`` or ``client``.
        build: ``pure`` or ``compiled``.
        loop: ``asyncio`` or ``uvloop``.
        face: ``classic`` or ``modern``.

    """

    role: str
    build: str
    loop: str
    face: str

    @property
    def name(self) -> str:
        """What reports call us."""
        return "-".join(self)


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--short", action="store_true", help="a selection of cases, for CI")
    add("--case", action="append", help="a case, or a pattern like 6.4.*; repeatable")
    add("--role", action="append", choices=ROLES, help="repeatable; both")
    add("--build", action="append", choices=BUILDS, help="repeatable; both")
    add("--loop", action="append", choices=LOOPS, help="repeatable; both")
    add("--face", choices=["classic", "modern"], default="classic", help="(classic)")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="runs at a time")
    add("--python2", metavar="PATH", help="the Python 2.7 for the test suite")
    add("--require", action="store_true", help="fail if there is no Python 2.7")
    add("--source", type=Path, default=ROOT, help="another clone to build ours from")
    return parser


def main(argv: list[str] | None = None) -> int | str:
    """Run what the command line asks for; fail if a case ended badly."""
    options = make_parser().parse_args(argv)
    python2 = find_python2(options.python2)
    if python2 is None:
        text = (
            "autobahn.py: skipped: the Autobahn|Testsuite runs on Python 2.7 only, "
            "and none was found; have pyenv install 2.7.18, or name one with --python2"
        )
        print(text, file=sys.stderr)
        return 1 if options.require else 0
    try:
        return run_all(options, python2)
    except SetupError as exc:
        return f"autobahn.py: {exc}"


def run_all(options: argparse.Namespace, python2: str) -> int:
    """Set everything up, run all jobs, and report."""
    jobs = [
        Job(role, build, loop, options.face)
        for role in options.role or ROLES
        for build in options.build or BUILDS
        for loop in options.loop or LOOPS
    ]
    short = options.short and not options.case
    cases = {
        "cases": options.case or (SHORT if short else ALL),
        "exclude-cases": NOT_SHORT if short else [],
    }
    wstest = make_wstest(python2)
    pythons = {
        build: make_ours(build, options.source) for build in options.build or BUILDS
    }
    with ThreadPoolExecutor(options.jobs) as pool:
        reports = pool.map(lambda job: run_job(job, wstest, pythons, cases), jobs)
        results = dict(zip(jobs, reports, strict=True))
    return report(results)


# What is needed.


def find_python2(named: str | None) -> str | None:
    """Return a Python 2.7, or None."""
    for pattern in [named] if named else PYTHON2:
        path = os.path.expanduser(os.path.expandvars(pattern))
        for candidate in glob.glob(path) or [pattern]:
            with contextlib.suppress(SetupError):
                return call(candidate, "-c", IS_PYTHON2).strip()
    return None


def make_wstest(python2: str) -> Path:
    """Make the environment of the test suite if need be; return ``wstest``."""
    directory = ENVS / "wstest"
    wstest = directory / "bin" / "wstest"
    if not wstest.exists():
        say(f"setting up {directory.relative_to(ROOT)} with {python2}")
        shutil.rmtree(directory, ignore_errors=True)
        # It has no venv. Nothing of this goes into that Python itself.
        tool = ENVS / "virtualenv2"
        call(python2, "-m", "pip", "install", "-q", "-t", tool, "virtualenv<20.22")
        call(python2, "-m", "virtualenv", "-q", directory, PYTHONPATH=str(tool))
        pip(directory / "bin" / "python", "install", "autobahntestsuite")
    return wstest


def make_ours(build: str, source: Path) -> Path:
    """Make the environment of one build of ours; return its interpreter."""
    wheel = build_wheel(build, source)
    return make_environment(f"autobahn-{build}", ["uvloop", str(wheel)], fresh=False)


# One run.


def run_job(
    job: Job, wstest: Path, pythons: dict[str, Path], cases: Cases
) -> dict[str, dict[str, Any]]:
    """Run the test suite against one of ours; return each case's entry."""
    directory = ENVS / "reports" / job.name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    say(f"testing {job.name}")
    began = time.monotonic()
    python = pythons[job.build]
    run = test_server if job.role == "server" else test_client
    with (directory / "log").open("w+", encoding="utf-8") as log:
        run(job, wstest, python, directory, cases, log)
    say(f"tested {job.name} in {time.monotonic() - began:.0f} s")
    index = json.loads((directory / "index.json").read_text(encoding="utf-8"))
    found: dict[str, dict[str, Any]] = index[job.name]
    return found


def test_server(
    job: Job,
    wstest: Path,
    python: Path,
    directory: Path,
    cases: Cases,
    log: Any,
) -> None:
    """Have the fuzzing client test our server."""
    words = [python, HERE / "echo_server.py", "--loop", job.loop, "--face", job.face]
    with running(words, log, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        port = int(server.stdout.readline())
        agent = {"agent": job.name, "url": f"ws://127.0.0.1:{port}"}
        spec = write_spec(directory, cases, servers=[agent])
        wait([wstest, "-m", "fuzzingclient", "-s", spec], log)
        server.stdin.close()
        if server.wait(START_TIMEOUT) != 0:
            raise SetupError(f"our server failed: see {log.name}")


def test_client(
    job: Job,
    wstest: Path,
    python: Path,
    directory: Path,
    cases: Cases,
    log: Any,
) -> None:
    """Have the fuzzing server test our client."""
    port = find_port()
    url = f"ws://127.0.0.1:{port}"
    spec = write_spec(directory, cases, url=url)
    with running([wstest, "-m", "fuzzingserver", "-u", "0", "-s", spec], log):
        wait_for_port(port)
        where = ["--loop", job.loop, "--face", job.face, url, job.name]
        wait([python, HERE / "case_client.py", *where], log)


def write_spec(directory: Path, cases: Cases, **more: Any) -> Path:
    """Write what wstest is to do."""
    path = directory / "spec.json"
    spec = {"outdir": str(directory), **cases, **more}
    path.write_text(json.dumps(spec, indent=2), encoding="utf-8")
    return path


@contextlib.contextmanager
def running(words: list[Any], log: Any, **pipes: Any) -> Iterator[Any]:
    """Run a program meanwhile."""
    process = subprocess.Popen(
        list(map(str, words)),
        **{"stdout": log, "stderr": log, "text": True, **pipes},
        env=clean_variables(**VARIABLES),
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait()


def wait(words: list[Any], log: Any) -> None:
    """Run a program until it ends by itself.

    Raises:
        SetupError: if it fails, or takes too long.

    """
    with running(words, log) as process:
        try:
            status = process.wait(RUN_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise SetupError(f"{words[0]} did not end: see {log.name}") from None
    if status != 0:
        raise SetupError(f"{words[0]} failed: see {log.name}")


def find_port() -> int:
    """Return a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def wait_for_port(port: int) -> None:
    """Wait until something listens there."""
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return
        time.sleep(0.1)
    raise SetupError(f"wstest doesn't listen on port {port}")


# The report.


def report(results: dict[Job, dict[str, dict[str, Any]]]) -> int:
    """Print the figures of each run and the cases that stand out."""
    columns = "".join(f"{behavior.lower():>15}" for behavior in BEHAVIORS)
    print(f"{'run':34}{'cases':>7}{columns}")
    for job, entries in results.items():
        counts = Counter(map(judge, entries.values()))
        figures = "".join(f"{counts[behavior]:15}" for behavior in BEHAVIORS)
        print(f"{job.name:34}{len(entries):7}{figures}")
    print()
    stand_out = Counter(
        (case, judge(entry), job.role)
        for job, entries in results.items()
        for case, entry in entries.items()
        if judge(entry) != "OK"
    )
    for (case, behavior, role), count in sorted(stand_out.items(), key=in_order):
        print(f"{behavior:14} {case:8} {role}, {count} runs")
    bad_looking = {case for case, behavior, _ in stand_out if behavior not in GOOD}
    for reason in sorted({ALLOWED[case][1] for case in bad_looking & ALLOWED.keys()}):
        print(f"allowed: {reason}")
    bad = sum(is_bad(case, behavior) for case, behavior, _ in stand_out)
    print(f"cases that the RFCs don't allow: {bad}")
    return 1 if bad or not all(results.values()) else 0


def judge(entry: dict[str, Any]) -> str:
    """Return how a case ended: the worse one of its messages and its closing."""
    found = {entry["behavior"], entry["behaviorClose"]}
    unknown = found - set(BEHAVIORS)
    return "FAILED" if unknown else max(found, key=BEHAVIORS.index)


def is_bad(case: str, behavior: str) -> bool:
    """Tell whether a case must not end like that."""
    allowed, _ = ALLOWED.get(case, ("OK", ""))
    return behavior not in GOOD and behavior != allowed


def in_order(item: tuple[tuple[str, str, str], int]) -> Any:
    """Sort cases by number, not by digit."""
    (case, behavior, role), _ = item
    return [int(part) for part in case.split(".")], behavior, role


if __name__ == "__main__":
    sys.exit(main())
