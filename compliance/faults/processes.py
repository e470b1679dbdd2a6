"""Faults of our own process: forks, signals, a closed event loop, nothing left."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import pathlib
import resource
import signal
import socket
import subprocess
import sys
import tempfile
from typing import Any

from networks import peer, port_of
from raw import raw_client
from scene import HOST, Scene, fault

from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode


async def echo(connection: Any) -> None:
    """Send back what comes."""
    async for message in connection:
        await connection.send(message)


async def exchange(connection: Any, count: int = 50) -> None:
    """Exchange messages."""
    for number in range(count):
        await connection.send(str(number))
        assert await connection.recv() == str(number)


@fault
async def sigterm_under_load(scene: Scene) -> None:
    """A server is told to end (SIGTERM): clients see 1001 and miss nothing."""
    async with peer(scene, "server") as process:
        port = await port_of(process)
        connections = [await scene.open(port) for _ in range(20)]
        tasks = [asyncio.create_task(scene.collect(one)) for one in connections]
        await asyncio.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        scene.injected += 1
        await scene.in_time(asyncio.wait(tasks), 20, "hearing of the end")
        codes = {connection.close_code for connection in connections}
        scene.check(codes == {1001}, f"close codes after SIGTERM: {codes}")
        status = await scene.in_time(process.wait(), 10, "the server's end")
        scene.check(status == 0, f"exit status after SIGTERM: {status}")
        assert process.stdout is not None
        figures = json.loads(await process.stdout.read())
        for name in ("tasks", "files", "errors"):
            scene.check(not figures[name], f"left by the server: {figures[name]}")


@fault
async def forks(scene: Scene) -> None:
    """A child has its own random numbers, and can connect; the parent goes on."""
    async with scene.server(echo) as port, scene.open(port) as connection:
        await exchange(connection)
        for _ in range(3):
            # Both go on from where the parent was.
            child_keys, own_keys = in_child(lambda: masks(5)), masks(5)
            scene.check(child_keys != own_keys, "a child has its parent's mask keys")
            scene.check(len(child_keys) == 20, "a child couldn't make mask keys")
            scene.injected += 1
            await exchange(connection)
        child = asyncio.to_thread(in_child, lambda: visit(scene, port))
        answer = await scene.in_time(child, 20, "a child's connection")
        scene.check(answer == b"hello", f"a child that connects got {answer!r}")
        scene.injected += 1
        await exchange(connection)


def masks(count: int) -> bytes:
    """Return some mask keys."""
    frame = Frame(Opcode.TEXT, b"")
    return b"".join(frame.serialize(mask=True)[2:] for _ in range(count))


def visit(scene: Scene, port: int | None) -> bytes:
    """Connect to a server, ours if need be, with an event loop of one's own."""

    async def talk(port: int) -> bytes:
        async with scene.open(port) as connection:
            await connection.send(b"hello")
            answer: bytes = await connection.recv()
            return answer

    async def serve_and_talk() -> bytes:
        async with scene.server(echo) as port:
            return await talk(port)

    return asyncio.run(serve_and_talk() if port is None else talk(port))


def in_child(function: Any) -> bytes:
    """Run a function in a child of this process; return what it returns."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.write(write, function())
        os._exit(0)
    os.close(write)
    with open(read, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer


@fault
async def closed_loop(scene: Scene) -> None:
    """An event loop is closed while connections are open: nothing is told, or left."""
    before = len(os.listdir("/proc/self/fd"))
    for stopped in (True, False):
        for way in range(4):
            await asyncio.to_thread(abandon, scene, stopped, way)
            scene.injected += 1
    # What an event loop leaves is given up when the next one has a connection.
    await asyncio.to_thread(visit, scene, None)
    gc.collect()
    scene.check(
        len(os.listdir("/proc/self/fd")) <= before, "files of a closed loop are open"
    )


def abandon(scene: Scene, stopped: bool, way: int) -> None:
    """Leave an event loop with open connections and all that waits for them."""
    loop = asyncio.new_event_loop()
    # Tasks that never end are the fault here, and the event loop says so.
    reported: list[str] = []
    loop.set_exception_handler(lambda _, context: reported.append(str(context)))

    async def live() -> None:
        async def handler(connection: Any) -> None:
            async for _ in connection.recv_streaming():
                if way == 1:
                    await connection.send(bytes(2**22))
                await asyncio.Event().wait()

        server = await scene.serve(handler, HOST, 0)
        port = next(iter(server.sockets)).getsockname()[1]
        connection = await scene.open(port, max_queue=1)
        receiving = asyncio.ensure_future(connection.recv())
        await connection.send(["a", bytes(2**16).decode()] if way else "a")
        if way == 2:
            server.close()
        await asyncio.sleep(0.01)
        kept.extend([server, connection, receiving])

    kept: list[Any] = []
    loop.run_until_complete(live())
    if stopped:
        loop.call_soon(loop.stop)
        loop.run_forever()
    loop.close()
    if way == 3:
        with contextlib.suppress(RuntimeError):
            kept[1].fail(1011) if hasattr(kept[1], "fail") else None
    kept.clear()
    gc.collect()
    # Nobody looks at what this task has raised, either.
    known = ("was destroyed but it is pending", "Connection.recv()")
    odd = [text for text in reported if not any(part in text for part in known)]
    scene.check(not odd, f"an abandoned loop was told: {odd}")


@fault
async def full_disk(scene: Scene) -> None:
    """Logs can't be written, nor what logging says about that."""
    logger = logging.getLogger("websockets")
    level = logger.level
    with open("/dev/full", "w") as full, small_disk() as path:
        handlers = [logging.StreamHandler(full), logging.FileHandler(path)]
        stderr, sys.stderr = sys.stderr, full
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        for handler in handlers:
            logger.addHandler(handler)
        try:
            await log_a_lot(scene)
        finally:
            sys.stderr = stderr
            logger.setLevel(level)
            for handler in handlers:
                logger.removeHandler(handler)
                with contextlib.suppress(OSError):
                    handler.close()
        with contextlib.suppress(OSError):
            full.close()


@contextlib.contextmanager
def small_disk() -> Any:
    """Give a path on a disk with 16 KiB, if there can be one; else /dev/full."""
    with tempfile.TemporaryDirectory() as directory:
        mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", directory]
        if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
            yield "/dev/full"
            return
        try:
            yield pathlib.Path(directory) / "log"
        finally:
            subprocess.run(["umount", "-l", directory], check=True)


async def log_a_lot(scene: Scene) -> None:
    """Exchange messages, fail, and close, all of which is logged."""

    async def handler(connection: Any) -> None:
        await echo(connection)
        raise RuntimeError("for the log")

    async with scene.server(handler) as port:
        for _ in range(5):
            async with scene.open(port) as connection:
                await exchange(connection)
            scene.injected += 1
        async with raw_client(port, handshake=False) as raw:
            await raw.send(b"nonsense\r\n\r\n")
            await raw.read_all()


@fault
async def no_memory_for_handler(scene: Scene) -> None:
    """Handlers raise MemoryError, before and after messages."""

    async def handler(connection: Any) -> None:
        if await connection.recv() == "echo":
            await echo(connection)
        raise MemoryError

    async with scene.server(handler) as port, scene.open(port) as other:
        await other.send("echo")
        for size in (0, 10, 1000):
            connection = await scene.open(port)
            with contextlib.suppress(ConnectionClosed):
                for _ in range(size):
                    await connection.send("x")
                await connection.send("x")
                await connection.recv()
            code = connection.close_code
            scene.check(code == 1011, f"close code after MemoryError: {code}")
            scene.injected += 1
            await exchange(other)


@fault
async def no_memory_at_all(scene: Scene) -> None:
    """The system has no memory for messages; others' connections go on."""
    # The event loop tells what it couldn't do, and closes these connections.
    scene.expected += ["MemoryError", "get_buffer()"]
    async with scene.server(echo, max_size=None) as port, scene.open(port) as other:
        await exchange(other)
        pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
        limits = resource.getrlimit(resource.RLIMIT_AS)
        ceiling = pages * resource.getpagesize() + 50 * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (ceiling, limits[1]))
        try:
            for _ in range(3):
                async with raw_client(port) as raw:
                    scene.injected += 1
                    await send_much(raw)
                await exchange(other)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, limits)


async def send_much(raw: Any) -> None:
    """Send a message of 200 MiB, as far as the other end takes it."""
    # This end has no more memory than the other one.
    with contextlib.suppress(ConnectionError, TimeoutError, MemoryError):
        await raw.send(b"\x82\xff" + (200 * 2**20).to_bytes(8, "big") + bytes(4))
        part = bytes(2**18)
        async with asyncio.timeout(20):
            for _ in range(200 * 4):
                await raw.send(part)
            await raw.read_all()


@fault
async def no_files(scene: Scene) -> None:
    """The process may open no more files, while clients come; later it may again."""
    # Event loops tell that they can't accept.
    scene.expected += ["Too many open files"]
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with scene.server(echo) as port, scene.open(port) as other:
        waiting = [socket.socket() for _ in range(10)]
        used = max(map(int, os.listdir("/proc/self/fd")))
        resource.setrlimit(resource.RLIMIT_NOFILE, (used, limits[1]))
        try:
            for sock in waiting:
                sock.setblocking(False)
                await asyncio.get_running_loop().sock_connect(sock, (HOST, port))
            await asyncio.sleep(0.1)
            scene.injected += 10
            await exchange(other)
            try:
                await scene.open(port)
                scene.problems.append("a client has connected without a socket")
            except OSError:
                pass
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            for sock in waiting:
                sock.close()
        # asyncio waits a second before it accepts again.
        async with asyncio.timeout(10), scene.open(port) as connection:
            await exchange(connection)
