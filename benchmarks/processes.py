"""Processes: start one that listens, run one to its end, look at one."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from contenders import ENVIRONMENTS, Peer
from environments import ENVS, HERE, LOADGEN, clean_variables

#: How long a server may take to stop, in seconds.
STOP_TIMEOUT = 15.0


class MeasureError(Exception):
    """Something did not start, did something wrong, or did not stop."""


class Launch(NamedTuple):
    """How peers and the load generator are started.

    Attributes:
        loop: ``asyncio`` or ``uvloop``.
        peer_cpus: where the peer, server or client, may run; None for anywhere.
        loadgen_cpus: where the load generator may run; None for anywhere.
        prefix: a command that runs the peer, such as valgrind.
        variables: more environment variables of the peer.
        start_timeout: how long a server may take to listen, in seconds.
        python: the interpreter for ours; None for that of its own environment.
        loadgen: the load generator.

    """

    loop: str = "asyncio"
    peer_cpus: frozenset[int] | None = None
    loadgen_cpus: frozenset[int] | None = None
    prefix: tuple[str, ...] = ()
    variables: dict[str, str] = {}
    start_timeout: float = 30.0
    python: Path | None = None
    loadgen: Path = LOADGEN


def find_cpus() -> tuple[frozenset[int] | None, frozenset[int] | None]:
    """Return where the peer and where the load generator should run.

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
    """Return the last line of what a process wrote to stderr."""
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
def listening(
    command: Sequence[str],
    variables: dict[str, str],
    cpus: frozenset[int] | None,
    start_timeout: float = 30.0,
) -> Iterator[tuple[int, int]]:
    """Run what listens, says where, and ends with SIGTERM; give its pid and port.

    Raises:
        MeasureError: if it does not start or stop as it should; the text ends with
            the last line it wrote to stderr.

    """
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command,
            env=clean_variables(variables),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            preexec_fn=lambda: pin(cpus),
        )
        assert process.stdout is not None
        try:
            yield process.pid, read_port(process.stdout, start_timeout)
            stop(process)
        except MeasureError as exc:
            raise MeasureError(f"{exc}; server: {last_line(log)}") from exc
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def run_to_end(
    command: Sequence[str], variables: dict[str, str], cpus: frozenset[int] | None
) -> Any:
    """Run what reports in one line of JSON; return that.

    Raises:
        MeasureError: if it fails, with the last line that it wrote to stderr.

    """
    done = subprocess.run(
        command,
        env=clean_variables(variables),
        capture_output=True,
        text=True,
        preexec_fn=lambda: pin(cpus),
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise MeasureError(lines[-1] if lines else f"it failed: {done.returncode}")
    return json.loads(done.stdout)


def find_python(peer: Peer, launch: Launch) -> Path:
    """Return the interpreter that runs a peer."""
    if launch.python is not None and peer.environment.startswith("ours"):
        return launch.python
    return ENVS / peer.environment / "bin" / "python"


def find_variables(peer: Peer, launch: Launch) -> dict[str, str]:
    """Return the environment variables that a peer gets."""
    return {**ENVIRONMENTS[peer.environment].variables, **launch.variables}


def running_server(
    peer: Peer, arguments: Sequence[str], launch: Launch
) -> contextlib.AbstractContextManager[tuple[int, int]]:
    """Run a peer's server; give its process id and its port.

    Raises:
        MeasureError: as :func:`listening` does.

    """
    server = HERE / "servers" / f"{peer.server}.py"
    command = [
        *launch.prefix,
        *(str(find_python(peer, launch)), str(server), f"--loop={launch.loop}"),
        *arguments,
    ]
    variables = find_variables(peer, launch)
    return listening(command, variables, launch.peer_cpus, launch.start_timeout)


def running_loadgen(
    arguments: Sequence[str], launch: Launch
) -> contextlib.AbstractContextManager[tuple[int, int]]:
    """Run the load generator as a server; give its process id and its port.

    Raises:
        MeasureError: as :func:`listening` does, and if a client sent it something
            wrong.

    """
    command = [str(launch.loadgen), "--serve", *arguments]
    return listening(command, {}, launch.loadgen_cpus)


def run_client(peer: Peer, arguments: Sequence[str], launch: Launch) -> dict[str, Any]:
    """Run a peer's client; return what it reports.

    Raises:
        MeasureError: if anything that it got was not what it had to be.

    """
    client = HERE / "clients" / f"{peer.client}.py"
    command = [str(find_python(peer, launch)), str(client), f"--loop={launch.loop}"]
    variables = find_variables(peer, launch)
    report: dict[str, Any] = run_to_end(
        [*command, *arguments], variables, launch.peer_cpus
    )
    return report


def put_load(port: int, arguments: Sequence[str], launch: Launch) -> dict[str, Any]:
    """Run the load generator; return what it reports.

    Raises:
        MeasureError: if anything that came back was not what it had to be.

    """
    command = [str(launch.loadgen), f"--port={port}", *arguments]
    report: dict[str, Any] = run_to_end(command, {}, launch.loadgen_cpus)
    return report


class Holder:
    """The load generator while it holds connections open."""

    def __init__(self, port: int, arguments: Sequence[str], launch: Launch) -> None:
        self.process = subprocess.Popen(
            [str(launch.loadgen), f"--port={port}", "--task=hold", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: pin(launch.loadgen_cpus),
        )

    def open(self, connections: int) -> None:
        """Have as many connections, and use the new ones once.

        Raises:
            MeasureError: if that fails.

        """
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{connections}\n")
        self.process.stdin.flush()
        if not self.process.stdout.readline():
            self.close()

    def close(self) -> None:
        """Close all connections.

        Raises:
            MeasureError: if that fails, or something did before.

        """
        _, said = self.process.communicate(timeout=60)
        if self.process.returncode != 0:
            raise MeasureError(said.strip() or "the load generator failed")


@contextlib.contextmanager
def holding(port: int, arguments: Sequence[str], launch: Launch) -> Iterator[Holder]:
    """Run the load generator to hold connections; close them in the end.

    Raises:
        MeasureError: if anything that came back was not what it had to be.

    """
    holder = Holder(port, arguments, launch)
    try:
        yield holder
        holder.close()
    finally:
        holder.process.kill()
        holder.process.wait()
        streams = [holder.process.stdin, holder.process.stdout, holder.process.stderr]
        for stream in filter(None, streams):
            stream.close()


def read_memory(pid: int) -> int:
    """Return how much memory a process occupies, in bytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
