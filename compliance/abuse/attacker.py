"""Does an attack, in a process of its own.

Its arguments are the attack's name, the server's port, and 1 if the server expects
TLS. When it's done, it prints a JSON object that tells how many attacked connections
ended how; it keeps those that didn't end until its input ends.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
import os
import resource
import sys

from arena import ATTACKS, Arena

#: What has attacks.
MODULES = ["handshakes", "connections"]


def load() -> None:
    """Fill the table of attacks."""
    for name in MODULES:
        if importlib.util.find_spec(name) is not None:
            importlib.import_module(name)


async def main(name: str, port: int, tls: bool) -> None:
    """Do the attack."""
    place = Arena(port, tls)
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await ATTACKS[name].function(place)
    print(json.dumps(place.ends), flush=True)
    await ended
    place.leave()


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # What is measured are the server and its well-behaved client.
    os.nice(10)
    load()
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3] == "1"))
