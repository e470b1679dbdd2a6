"""Faults of peers and networks: killed processes, and networks that lose everything."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from scene import Scene, fault

from websockets.exceptions import ConnectionClosed

PEER = Path(__file__).resolve().parent / "peer.py"

#: Connections with the other process.
CONNECTIONS = 20


@contextlib.asynccontextmanager
async def peer(
    scene: Scene, role: str, *arguments: object, before: tuple[str, ...] = ()
) -> AsyncIterator[Process]:
    """Run the other process; kill it at the end."""
    module = scene.server_module if role == "server" else scene.client_module
    process = await asyncio.create_subprocess_exec(
        *before,
        *(sys.executable, str(PEER), role, module.__name__, *map(str, arguments)),
        stdout=PIPE,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def port_of(process: Process) -> int:
    """Return the port that a server tells."""
    assert process.stdout is not None
    return int(await process.stdout.readline())


@fault
async def kill_clients(scene: Scene) -> None:
    """A process with many clients is killed (SIGKILL) while they send."""
    ended: list[Any] = []

    async def handler(connection: Any) -> None:
        await scene.collect(connection)
        ended.append(connection)

    async with scene.server(handler) as port:
        arguments = ("--port", port, "--connections", CONNECTIONS)
        async with peer(scene, "clients", *arguments) as process:
            talking = wait_for_talk(scene)
            await scene.in_time(talking, 60, "connecting all clients")
            scene.check(process.returncode is None, "the clients have ended early")
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            scene.injected += 1
            await process.wait()
            await scene.in_time(length(ended, CONNECTIONS), 10, "hearing of the end")


async def wait_for_talk(scene: Scene) -> None:
    """Wait until all clients are there and have something to say."""
    while (
        len(scene.ledgers) < CONNECTIONS or max(one.next for one in scene.ledgers) < 100
    ):
        await asyncio.sleep(0.01)


async def length(items: list[Any], count: int) -> None:
    """Wait until there are so many items."""
    while len(items) < count:
        await asyncio.sleep(0.01)


@fault
async def kill_server(scene: Scene) -> None:
    """A server is killed (SIGKILL) while it sends and is being sent to."""

    async def flood(connection: Any) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await connection.send(bytes(10_000))

    async with peer(scene, "server") as process:
        port = await port_of(process)
        connections = [await scene.open(port) for _ in range(CONNECTIONS)]
        tasks = [asyncio.create_task(scene.collect(one)) for one in connections]
        tasks += [asyncio.create_task(flood(one)) for one in connections]
        await asyncio.sleep(0.5)
        process.kill()
        scene.injected += 1
        await scene.in_time(asyncio.wait(tasks), 10, "hearing of the end")
        codes = {connection.close_code for connection in connections}
        scene.check(codes == {1006}, f"close codes of a killed server: {codes}")


# Networks. The other process lives in a network namespace of its own.


class Network:
    """A cable to another namespace, which may be cut."""

    def __init__(self) -> None:
        number = os.getpid()
        self.name = f"faults{number}"
        self.near, self.far = f"fn{number}", f"ff{number}"
        prefix = f"10.{number // 250 % 250}.{number % 250}"
        self.here, self.there = f"{prefix}.1", f"{prefix}.2"
        self.inside = ("ip", "netns", "exec", self.name)

    def make(self) -> None:
        """Make the namespace and the cable."""
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", self.near, "type", "veth", "peer", "name", self.far)
        run("ip", "link", "set", self.far, "netns", self.name)
        run("ip", "addr", "add", f"{self.here}/24", "dev", self.near)
        run("ip", "link", "set", self.near, "up")
        run(*self.inside, "ip", "addr", "add", f"{self.there}/24", "dev", self.far)
        run(*self.inside, "ip", "link", "set", self.far, "up")

    def cut(self) -> None:
        """Lose everything from now on, both ways, and tell nobody."""
        try:
            loss = ("root", "netem", "loss", "100%")
            run(*self.inside, "tc", "qdisc", "add", "dev", self.far, *loss)
            run("tc", "qdisc", "add", "dev", self.near, *loss)
        except subprocess.CalledProcessError:
            # The system has no such queue.
            run(*self.inside, "ip", "link", "set", self.far, "down")

    def mend(self) -> None:
        """Lose nothing any more."""
        try:
            run(*self.inside, "tc", "qdisc", "del", "dev", self.far, "root")
            run("tc", "qdisc", "del", "dev", self.near, "root")
        except subprocess.CalledProcessError:
            run(*self.inside, "ip", "link", "set", self.far, "up")

    def remove(self) -> None:
        """Remove the namespace, and the cable with it."""
        run("ip", "netns", "del", self.name)


def run(*command: str) -> None:
    """Run a command that may not fail."""
    subprocess.run(command, check=True, capture_output=True)


@contextlib.asynccontextmanager
async def network(scene: Scene) -> AsyncIterator[Network | None]:
    """Give a network, or None where none can be made."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        scene.skipped = "needs root and the command ip (the package iproute2)"
        yield None
        return
    made = Network()
    try:
        made.make()
    except subprocess.CalledProcessError as exc:
        scene.skipped = f"no network namespaces: {exc.stderr.decode().strip()}"
        yield None
        return
    try:
        yield made
    finally:
        made.remove()


#: Seconds of keepalive, and how long connections may live in a dead network.
KEEPALIVE = {"ping_interval": 0.5, "ping_timeout": 0.5, "close_timeout": 0.5}
PATIENCE = 8.0

#: How to wait for the end of a connection.
WAYS = ["sending", "receiving", "closing"]


@fault
async def dead_network(scene: Scene) -> None:
    """The network loses everything: idle, sending and closing ends all hear of it."""
    async with network(scene) as cable:
        if cable is None:
            return
        arguments = ("--host", cable.there)
        async with peer(scene, "server", *arguments, before=cable.inside) as process:
            port = await port_of(process)
            connections = [
                await scene.open(port, cable.there, compression=None, **KEEPALIVE)
                for _ in WAYS * 2
            ]
            await asyncio.sleep(0.3)
            cable.cut()
            scene.injected += 1
            for way, task in enumerate(
                [
                    asyncio.create_task(end_somehow(c, w))
                    for w, c in enumerate(connections)
                ]
            ):
                name = f"cutting a dead connection ({WAYS[way % 3]})"
                await scene.in_time(task, PATIENCE, name)
            await open_in_vain(scene, port, cable.there)
            cable.mend()
            await scene.in_time(open_again(scene, port, cable.there), 20, "connecting")


async def end_somehow(connection: Any, way: str) -> None:
    """Wait for the end of a connection, in one of a few ways."""
    if way == "closing":
        await connection.close()
    with contextlib.suppress(ConnectionClosed):
        while True:
            if way == "sending":
                await connection.send(bytes(2**16))
            else:
                await connection.recv()


async def open_again(scene: Scene, port: int, host: str) -> None:
    """Connect and receive, as soon as the network's addresses are known again."""
    async for connection in scene.open(port, host):
        await connection.recv()
        await connection.close()
        break


async def open_in_vain(scene: Scene, port: int, host: str) -> None:
    """See that connecting in a dead network ends when it should."""
    began = time.monotonic()
    try:
        await scene.open(port, host, open_timeout=0.5)
        scene.problems.append("a client has connected through a dead network")
    except (TimeoutError, OSError):
        scene.check(time.monotonic() - began < 3, "connecting in vain took too long")


@fault
async def dead_network_of_server(scene: Scene) -> None:
    """The network of a server's clients loses everything; it cuts all of them."""
    ended: list[Any] = []

    async def handler(connection: Any) -> None:
        await scene.collect(connection)
        ended.append(connection)

    async with network(scene) as cable:
        if cable is None:
            return
        async with scene.serve(handler, cable.here, 0, **KEEPALIVE) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            arguments = ("--host", cable.here, "--port", port)
            async with peer(scene, "clients", *arguments, before=cable.inside):
                await length(scene.ledgers, CONNECTIONS)
                await asyncio.sleep(0.3)
                cable.cut()
                scene.injected += 1
                await scene.in_time(
                    length(ended, CONNECTIONS), PATIENCE, "cutting dead connections"
                )


@fault
async def interrupted_network(scene: Scene) -> None:
    """The network loses everything for a while that keepalive survives."""
    async with network(scene) as cable:
        if cable is None:
            return
        arguments = ("--host", cable.there)
        async with peer(scene, "server", *arguments, before=cable.inside) as process:
            port = await port_of(process)
            connection = await scene.open(port, cable.there)
            receiving = asyncio.create_task(scene.collect(connection))
            for _ in range(3):
                await asyncio.sleep(0.2)
                cable.cut()
                await asyncio.sleep(0.2)
                cable.mend()
                scene.injected += 1
            before = scene.ledgers[0].next
            while scene.ledgers[0].next < before + 50:
                await asyncio.sleep(0.01)
            process.terminate()
            await receiving
            scene.check(connection.close_code == 1001, "the connection didn't survive")
