"""One measurement: start a server, put load on it, stop it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from environments import ENVS, HERE, LOADGEN, clean_variables
from scenarios import Scenario

from peers import ENVIRONMENTS, Peer

#: How long a server may take to stop, in seconds.
STOP_TIMEOUT = 15.0


class MeasureError(Exception):
    """A server did not start, echoed something wrong, or did not stop."""


class Launch(NamedTuple):
    """How servers and the load generator are started.

    Attributes:
        loop: ``asyncio`` or ``uvloop``.
        server_cpus: where the server may run; None for anywhere.
        loadgen_cpus: where the load generator may run; None for anywhere.
        prefix: a command that runs the server, such as valgrind.
        variables: more environment variables of the server.
        start_timeout: how long a server may take to listen, in seconds.

    """

    loop: str = "asyncio"
    server_cpus: frozenset[int] | None = None
    loadgen_cpus: frozenset[int] | None = None
    prefix: tuple[str, ...] = ()
    variables: dict[str, str] = {}
    start_timeout: float = 30.0


def find_cpus() -> tuple[frozenset[int] | None, frozenset[int] | None]:
    """Return where the server and where the load generator should run.

    Two different processors if there are two, else no preference.
    """
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        return None, None
    return frozenset(cpus[-1:]), frozenset(cpus[:1])


def pin(cpus: frozenset[int] | None) -> None:
    """Run the current process on these processors only."""
    if cpus is not None:
        os.sched_setaffinity(0, cpus)


def read_port(output: IO[str], timeout: float) -> int:
    """Read the line that a server prints when it is ready.

    Raises:
        MeasureError: if none comes within ``timeout`` seconds, or another one.

    """
    if not select.select([output], [], [], timeout)[0]:
        raise MeasureError(f"the server did not listen within {timeout:.0f} s")
    word, _, port = output.readline().partition(" ")
    if word != "listening":
        raise MeasureError("the server did not start")
    return int(port)


def last_line(log: IO[str]) -> str:
    """Return the last line of what a server wrote to stderr."""
    log.seek(0)
    lines = log.read().strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def stop(process: subprocess.Popen[str]) -> None:
    """End a server with SIGTERM.

    Raises:
        MeasureError: if it does not stop, or not with status 0.

    """
    process.send_signal(signal.SIGTERM)
    try:
        status = process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        raise MeasureError(f"the server ignores SIGTERM ({STOP_TIMEOUT} s)") from None
    if status != 0:
        raise MeasureError(f"the server stopped with status {status}")


@contextlib.contextmanager
def running_server(
    peer: Peer, scenario: Scenario, launch: Launch
) -> Iterator[tuple[int, int]]:
    """Run a server; give its process id and its port.

    Raises:
        MeasureError: if it does not start or stop as it should; the text ends with
            the last line it wrote to stderr.

    """
    python = ENVS / peer.environment / "bin" / "python"
    server = HERE / "servers" / f"{peer.server}.py"
    variables = {**ENVIRONMENTS[peer.environment].variables, **launch.variables}
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [
                *launch.prefix,
                *(str(python), str(server), f"--loop={launch.loop}"),
                *scenario.options,
            ],
            env=clean_variables(variables),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            preexec_fn=lambda: pin(launch.server_cpus),
        )
        assert process.stdout is not None
        try:
            yield process.pid, read_port(process.stdout, launch.start_timeout)
            stop(process)
        except MeasureError as exc:
            raise MeasureError(f"{exc}; server: {last_line(log)}") from exc
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def put_load(
    peer: Peer, scenario: Scenario, launch: Launch, port: int, arguments: list[str]
) -> dict[str, Any]:
    """Run the load generator and return what it reports.

    Raises:
        MeasureError: if anything that came back was not what it had to be.

    """
    done = subprocess.run(
        [
            str(LOADGEN),
            f"--port={port}",
            *scenario.loadgen_arguments(peer),
            *arguments,
        ],
        capture_output=True,
        text=True,
        preexec_fn=lambda: pin(launch.loadgen_cpus),
    )
    if done.returncode != 0:
        raise MeasureError(done.stderr.strip() or f"loadgen: {done.returncode}")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def measure(
    peer: Peer, scenario: Scenario, launch: Launch, arguments: list[str]
) -> dict[str, Any]:
    """Measure a fresh server once, its processor time included.

    Args:
        peer: the server.
        scenario: the load.
        launch: how both are started.
        arguments: more arguments of the load generator, such as its duration.

    Raises:
        MeasureError: if the server or an echo was wrong.

    """
    with running_server(peer, scenario, launch) as (pid, port):
        timed = [*arguments, f"--server-pid={pid}"]
        return put_load(peer, scenario, launch, port, timed)


def count_instructions(
    peer: Peer, scenario: Scenario, launch: Launch, messages: int, valgrind: str
) -> int:
    """Count the instructions of a server's whole life with so many messages.

    Only those of the process itself, not the kernel's.

    Args:
        peer: the server.
        scenario: the load.
        launch: how both are started; the prefix is set here.
        messages: how many are echoed.
        valgrind: the program.

    Raises:
        MeasureError: if the server or an echo was wrong.

    """
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "callgrind.out"
        prefix = (valgrind, "--tool=callgrind", f"--callgrind-out-file={out}", "-q")
        watched = launch._replace(prefix=prefix)
        with running_server(peer, scenario, watched) as (_, port):
            put_load(peer, scenario, watched, port, [f"--messages={messages}"])
        for line in out.read_text().splitlines():
            if line.startswith("summary:"):
                return int(line.split()[1])
    raise MeasureError("callgrind left no summary")
