"""How each kind of scenario is measured: one fresh process, one record of figures."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from contenders import PEERS, ROOT, Peer
from environments import FEATURES, read_features
from payloads import write_lines
from processes import (
    Launch,
    MeasureError,
    find_python,
    find_variables,
    holding,
    put_load,
    read_memory,
    run_client,
    run_to_end,
    running_loadgen,
    running_server,
)
from scenarios import SCENARIOS, Scenario

CERTIFICATES = ROOT / "tests" / "certificates"

#: Messages that a connection exchanges before its memory is looked at.
USED_ONCE = 2

#: Imports of one record; the median counts.
IMPORTS = 9

#: Messages of the shorter run under callgrind, and how much longer the other one is.
COUNTED, TIMES = 1600, 3

#: Under valgrind: the same order of dictionaries and sets in all runs, and patience,
#: because Python is some fifty times slower.
UNDER_VALGRIND = {
    "variables": {"PYTHONHASHSEED": "0"},
    "start_timeout": 300.0,
}

#: Measures the import of something, in seconds, asyncio included.
IMPORT = """
import time
begin = time.perf_counter()
{statements}
print(time.perf_counter() - begin)
"""


class Timing(NamedTuple):
    """How long a load lasts, in seconds.

    Attributes:
        seconds: measured.
        warm_up: unmeasured, before that.

    """

    seconds: float
    warm_up: float

    def times(self, factor: float) -> Timing:
        """Return one that lasts so many times as long."""
        return Timing(self.seconds * factor, self.warm_up * factor)

    def arguments(self) -> list[str]:
        """Return the arguments that tell it to the load generator or a client."""
        return [f"--seconds={self.seconds}", f"--warm-up={self.warm_up}"]


def server_arguments(scenario: Scenario) -> list[str]:
    """Return what a server is told for a scenario."""
    known = {"sink", "flood", "broadcast"}
    arguments = [f"--task={scenario.kind if scenario.kind in known else 'echo'}"]
    if scenario.deflate:
        arguments.append("--compression=deflate")
    if scenario.tls:
        arguments.append(f"--tls={CERTIFICATES / 'server.pem'}")
    if scenario.ping_interval is not None:
        arguments.append(f"--ping-interval={scenario.ping_interval}")
    return arguments


def load_arguments(peer: Peer, scenario: Scenario, launch: Launch) -> list[str]:
    """Return what the load generator is told for a scenario."""
    tasks = {"sink", "flood", "broadcast", "connect"}
    flags = {
        "--text": scenario.text,
        "--deflate": scenario.deflate,
        "--raw": peer.speaks == "raw",
        f"--tls={CERTIFICATES / 'ca.pem'}": scenario.tls,
    }
    arguments = [
        f"--task={scenario.kind if scenario.kind in tasks else 'echo'}",
        f"--connections={scenario.connections}",
        f"--size={scenario.size}",
        f"--in-flight={scenario.in_flight}",
        *(flag for flag, wanted in flags.items() if wanted),
    ]
    if scenario.lines is not None:
        lines = write_lines(launch.loadgen.parent, scenario.lines)
        arguments.append(f"--lines={lines}")
    return arguments


def make_figures(report: dict[str, Any], peer_cpu: float) -> dict[str, Any]:
    """Return the figures of a load: rates, processor time, latencies."""
    messages, seconds = report["messages"], report["seconds"]
    if not messages:
        raise MeasureError("nothing came back while it was measured")
    figures = {
        "messages": messages,
        "seconds": seconds,
        "rate": report["rate"],
        "cpu_us": peer_cpu / messages * 1e6,
        "peer_busy": peer_cpu / seconds,
        "loadgen_busy": report["loadgen_cpu"] / seconds,
    }
    if report.get("p99_us"):
        figures |= {"p50_us": report["p50_us"], "p99_us": report["p99_us"]}
    if report.get("wire_bytes"):
        figures["wire"] = report["wire_bytes"] / messages
    return figures


def measure_server(
    name: str, peer: Peer, scenario: Scenario, launch: Launch, timing: Timing
) -> dict[str, Any]:
    """Put load on a fresh server."""
    with running_server(peer, server_arguments(scenario), launch) as (pid, port):
        arguments = [*load_arguments(peer, scenario, launch), *timing.arguments()]
        report = put_load(port, [*arguments, f"--server-pid={pid}"], launch)
    return make_figures(report, report["server_cpu"])


def measure_client(
    name: str, peer: Peer, scenario: Scenario, launch: Launch, timing: Timing
) -> dict[str, Any]:
    """Let a fresh client put load on the load generator."""
    raw = ["--raw"] if peer.speaks == "raw" else []
    with running_loadgen(raw, launch) as (pid, port):
        arguments = [
            f"--port={port}",
            f"--task={scenario.kind.removeprefix('client-')}",
            f"--connections={scenario.connections}",
            f"--size={scenario.size}",
            f"--in-flight={scenario.in_flight}",
            f"--server-pid={pid}",
        ]
        report = run_client(peer, [*arguments, *timing.arguments()], launch)
    return make_figures(report, report["client_cpu"])


def measure_memory(
    name: str, peer: Peer, scenario: Scenario, launch: Launch, timing: Timing
) -> dict[str, Any]:
    """Look at a server's memory with more and more idle connections.

    Each connection exchanges a few messages first, as a used one did.
    """
    some = scenario.connections
    steps = scenario.steps or (some, 2 * some)
    scenario = scenario._replace(connections=max(steps))
    arguments = [*load_arguments(peer, scenario, launch)[1:], f"--messages={USED_ONCE}"]
    occupied = []
    with running_server(peer, server_arguments(scenario), launch) as (pid, port):
        first = read_memory(pid)
        with holding(port, arguments, launch) as holder:
            for step in steps:
                holder.open(step)
                time.sleep(scenario.settle)
                occupied.append(read_memory(pid))
    rise = (occupied[-1] - occupied[-2]) if len(steps) > 1 else occupied[0] - first
    added = (steps[-1] - steps[-2]) if len(steps) > 1 else steps[0]
    return {
        "bytes": rise / added,
        "steps": [[0, first], *map(list, zip(steps, occupied, strict=True))],
    }


def measure_import(
    name: str, peer: Peer, scenario: Scenario, launch: Launch, timing: Timing
) -> dict[str, Any]:
    """Take the time of an import in fresh interpreters."""
    program = IMPORT.format(statements=peer.imports[name])
    command = [str(find_python(peer, launch)), "-c", program]
    variables = find_variables(peer, launch)
    times = [run_to_end(command, variables, launch.peer_cpus) for _ in range(IMPORTS)]
    return {"ms": median(times) * 1e3}


def count_instructions(
    peer: Peer, scenario: Scenario, launch: Launch, messages: int
) -> int:
    """Count the instructions of a server's whole life with so many messages.

    Only those of the process itself, not the kernel's.

    Raises:
        MeasureError: if the server or an echo was wrong, or valgrind is missing.

    """
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise MeasureError("valgrind is missing")
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "callgrind.out"
        prefix = (valgrind, "--tool=callgrind", f"--callgrind-out-file={out}", "-q")
        watched = launch._replace(prefix=prefix, **UNDER_VALGRIND)
        with running_server(peer, server_arguments(scenario), watched) as (_, port):
            number = f"--messages={messages}"
            put_load(port, [*load_arguments(peer, scenario, launch), number], watched)
        for line in out.read_text().splitlines():
            if line.startswith("summary:"):
                return int(line.split()[1])
    raise MeasureError("callgrind left no summary")


def count_per_message(
    peer: Peer, scenario: Scenario, launch: Launch, messages: int, times: int
) -> float:
    """Return the instructions per message: the difference between two runs.

    Args:
        peer: the server.
        scenario: the load.
        launch: how both are started.
        messages: how many the shorter run has.
        times: how many times as many the other one has.

    Raises:
        MeasureError: if the server or an echo was wrong.

    """
    short, long = (
        count_instructions(peer, scenario, launch, number)
        for number in (messages, messages * times)
    )
    return (long - short) / (messages * (times - 1))


def measure_instructions(
    name: str, peer: Peer, scenario: Scenario, launch: Launch, timing: Timing
) -> dict[str, Any]:
    """Count a server's instructions with callgrind."""
    count = count_per_message(peer, scenario, launch, COUNTED, TIMES)
    return {"instructions": count}


Measure = Callable[[str, Peer, Scenario, Launch, Timing], dict[str, Any]]

MEASURES: dict[str, Measure] = {
    "echo": measure_server,
    "sink": measure_server,
    "flood": measure_server,
    "broadcast": measure_server,
    "connect": measure_server,
    "client-echo": measure_client,
    "client-flood": measure_client,
    "client-sink": measure_client,
    "memory": measure_memory,
    "import": measure_import,
    "instructions": measure_instructions,
}


def measure(
    name: str, peer: str, launch: Launch, timing: Timing, cap: int | None = None
) -> dict[str, Any]:
    """Measure a peer once, in a scenario; return the figures.

    Args:
        name: the scenario.
        peer: the peer.
        launch: how processes are started.
        timing: how long the load lasts.
        cap: the most connections, to try things out; None for all of them.

    Raises:
        MeasureError: if anything that came back was not what it had to be.

    """
    scenario = SCENARIOS[name] if cap is None else SCENARIOS[name].capped(cap)
    function = MEASURES[scenario.kind]
    lasting = timing.times(scenario.lasts)
    return function(name, PEERS[peer], scenario, launch, lasting)


def find_missing(scenario: Scenario, loadgen: Path) -> str | None:
    """Return why a scenario cannot be measured here; None if it can."""
    if scenario.kind == "instructions" and shutil.which("valgrind") is None:
        return "valgrind is missing"
    for name in scenario.needs & set(FEATURES) - read_features(loadgen):
        header, _, _, package = FEATURES[name]
        return f"{header} was missing for the load generator (Debian: {package})"
    return None
