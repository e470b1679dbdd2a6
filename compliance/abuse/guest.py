"""A well-behaved client, in a process of its own: how long is it kept waiting?

Its arguments are a URI and, optionally, the file of a certificate to trust. Again and
again it connects, sends a message, waits for its echo, and closes. After the first
rounds it prints the most seconds that one took; that's before the attack. When its
input ends, it prints a JSON object: the seconds that each round took until the echo
was there, and the errors.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from typing import Any

import websockets

#: Seconds between two rounds.
PAUSE = 0.02

#: Rounds before the attack.
QUIET = 50


async def visit(uri: str, options: dict[str, Any]) -> float:
    """Connect, and have a message echoed; return the seconds that it took."""
    began = time.monotonic()
    async with websockets.connect(uri, compression=None, **options) as connection:
        await connection.send("How do you do?")
        await connection.recv()
        return time.monotonic() - began


async def main(uri: str, certificate: str | None = None) -> None:
    """Visit the server until the input ends."""
    options: dict[str, Any] = {}
    if certificate is not None:
        options["ssl"] = ssl.create_default_context(cafile=certificate)
        options["ssl"].check_hostname = False
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    seconds, errors = [], []
    await visit(uri, options)
    quiet = []
    for _ in range(QUIET):
        quiet.append(await visit(uri, options))
        await asyncio.sleep(PAUSE)
    print(max(quiet), flush=True)
    while not ended.done():
        try:
            seconds.append(await visit(uri, options))
        except (OSError, websockets.WebSocketException) as exc:
            errors.append(f"{type(exc).__name__}: {exc}")
        await asyncio.sleep(PAUSE)
    print(json.dumps({"seconds": seconds, "errors": errors}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
