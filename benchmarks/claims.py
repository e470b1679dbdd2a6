"""What the benchmark must show: the table of targets, held against a run."""

from __future__ import annotations

from statistics import median
from typing import Any, NamedTuple

from report import Run, find_runs, paired_ratio

#: The verdict on what this run did not measure.
UNKNOWN = "not measured"


class Claim(NamedTuple):
    """A target.

    Attributes:
        scenario: where it is measured.
        loop: on which event loop.
        ours: the peer that it is about.
        theirs: the peer that it is compared with; None for an absolute target.
        figure: which figure is meant.
        target: what the figure, or the ratio, must reach.
        at_most: whether it must stay below the target instead.

    For figures of which less is better, a target that is not ``at_most`` means
    their figure divided by ours: how many times better.
    """

    scenario: str
    loop: str
    ours: str
    theirs: str | None
    target: float
    figure: str = "rate"
    at_most: bool = False


class Verdict(NamedTuple):
    """What became of a claim.

    Attributes:
        claim: the claim.
        measured: the ratio, or the figure; None if it was not measured.
        holds: whether the target is reached; None if it was not measured.
        by_time: for rates, how many times the processor time of ours theirs is: it
            suffers less from whatever else the machine does.

    """

    claim: Claim
    measured: float | None
    holds: bool | None
    by_time: float | None


BOTH = (("asyncio", "ours-fast"), ("uvloop", "ours"))
CALLBACKS, COROUTINES = "picows-callbacks", "picows-coroutines"
MODERN = "websockets-modern"


def on_both(scenario: str, theirs: str, target: float, **more: Any) -> list[Claim]:
    """Return a claim for asyncio with the extra ``fast``, and for uvloop."""
    return [Claim(scenario, loop, ours, theirs, target, **more) for loop, ours in BOTH]


def plainly(
    scenario: str, ours: str, theirs: str | None, target: float, **more: Any
) -> list[Claim]:
    """Return a claim for each event loop, about the same peer."""
    return [
        Claim(scenario, loop, ours, theirs, target, **more)
        for loop in ("asyncio", "uvloop")
    ]


LEAST = {"figure": "bytes", "at_most": True}
COUNT = {"figure": "instructions", "at_most": True}
FAST = ("asyncio", "ours-fast")

CLAIMS = [
    *on_both("echo/c32/256B/k1", CALLBACKS, 1.0),
    Claim("echo/c32/256B/k1", *FAST, MODERN, 4.0),
    Claim("echo/c32/256B/k1", "uvloop", "ours", MODERN, 2.5),
    *on_both("echo/c32/256B/k16", CALLBACKS, 4.0),
    *on_both("echo/c32/256B/k16", MODERN, 8.0),
    Claim("echo/c32/256B/k16", "uvloop", "ours", "raw-echo", 0.7),
    Claim("instructions/c8/256B/k1", *FAST, CALLBACKS, 1.2, **COUNT),
    Claim("instructions/c8/256B/k16", *FAST, CALLBACKS, 1.0, **COUNT),
    *on_both("echo/c32/64KiB/k1", CALLBACKS, 1.0),
    *on_both("echo/c32/1MiB/k1", CALLBACKS, 1.0),
    *on_both("client/echo/c32/256B/k1", COROUTINES, 1.0),
    *on_both("client/receive/c4/256B", COROUTINES, 1.5),
    *on_both("client/send/c4/256B", COROUTINES, 1.5),
    *on_both("receive/c4/256B", MODERN, 8.0),
    *on_both("broadcast/c1000/256B", CALLBACKS, 1.0),
    *on_both("broadcast/c1000/256B", COROUTINES, 1.0),
    *on_both("broadcast/c1000/256B", MODERN, 2.0),
    *plainly("deflate-broadcast/c1000/600B", "ours", MODERN, 6.0, figure="cpu_us"),
    Claim("deflate-broadcast/c1000/600B", *FAST, MODERN, 6.0, "cpu_us"),
    *plainly("deflate-broadcast/c1000/50KB", "ours", MODERN, 30.0, figure="cpu_us"),
    *plainly("deflate-echo/c32/50KB/k1", "ours-fast", MODERN, 4.0),
    Claim("tls-echo/c32/256B/k1", *FAST, MODERN, 2.0),
    *plainly("connect/c32", "ours", MODERN, 1.5),
    *plainly("memory/plain", "ours", None, 8 * 1024, **LEAST),
    *plainly("memory/deflate", "ours", None, 16 * 1024, **LEAST),
    Claim("memory/tls", *FAST, None, 60 * 1024, **LEAST),
    *plainly("echo/c32/256B/k1", "ours-pure", MODERN, 1.5),
    Claim("import/package", "asyncio", "ours", MODERN, 1.0, "ms"),
    Claim("import/server-and-client", "asyncio", "ours", MODERN, 1.0, "ms"),
]


def find_value(claim: Claim, runs: list[Run]) -> float | None:
    """Return what a claim is about; None if it was not measured."""
    mine = find_runs(runs, (claim.loop, claim.scenario, claim.ours))
    if not mine:
        return None
    if claim.theirs is None:
        return median(run[claim.figure] for run in mine)
    theirs = find_runs(runs, (claim.loop, claim.scenario, claim.theirs))
    if claim.figure == "rate" or claim.at_most:
        return paired_ratio(mine, theirs, claim.figure)
    return paired_ratio(theirs, mine, claim.figure)


def compare_time(claim: Claim, runs: list[Run]) -> float | None:
    """Return their processor time divided by ours; None where it isn't the question."""
    if claim.figure != "rate" or claim.theirs is None:
        return None
    mine = find_runs(runs, (claim.loop, claim.scenario, claim.ours))
    theirs = find_runs(runs, (claim.loop, claim.scenario, claim.theirs))
    return paired_ratio(theirs, mine, "cpu_us")


def judge(runs: list[Run]) -> list[Verdict]:
    """Hold all claims against a run."""
    verdicts = []
    for claim in CLAIMS:
        value = find_value(claim, runs)
        holds = None
        if value is not None:
            holds = value <= claim.target if claim.at_most else value >= claim.target
        verdicts.append(Verdict(claim, value, holds, compare_time(claim, runs)))
    return verdicts


def show_value(claim: Claim, value: float | None) -> str:
    """Write a ratio or a figure."""
    if value is None:
        return "-"
    return f"{value / 1024:.1f} KiB" if claim.figure == "bytes" else f"{value:.2f}x"


def show_verdict(verdict: Verdict) -> list[str]:
    """Return a verdict's row in the table of verdicts."""
    claim, value, holds, by_time = verdict
    bound = "at most" if claim.at_most else "at least"
    words = {None: UNKNOWN, True: "holds", False: "missed"}
    what = {"rate": "rate", "cpu_us": "CPU", "bytes": "memory", "ms": "time"}
    return [
        claim.scenario,
        claim.loop,
        what.get(claim.figure, claim.figure),
        claim.ours,
        claim.theirs or "-",
        show_value(claim, value),
        "-" if by_time is None else f"{by_time:.2f}x",
        f"{bound} {show_value(claim, claim.target)}",
        words[holds],
    ]


VERDICT_HEADER = [
    "scenario",
    "loop",
    "figure",
    "ours",
    "against",
    "measured",
    "by CPU time",
    "target",
    "verdict",
]


def make_verdicts(runs: list[Run]) -> list[list[str]]:
    """Return the rows of the table of verdicts, the header first."""
    return [VERDICT_HEADER, *map(show_verdict, judge(runs))]
