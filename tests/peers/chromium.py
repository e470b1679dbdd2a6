"""A headless Chromium, driven through its DevTools: WebSocket once more."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from typing import Any

import websockets

from . import missing

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
)


def find_chromium() -> str:
    """Return the path of the browser, or do without the tests that need it."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        names = ", ".join(NAMES)
        missing(f"no browser is installed, under none of the names {names}")
    return path


class Page:
    """A page of the browser: commands of the DevTools protocol, and their results."""

    def __init__(self, websocket: websockets.WebSocketClientProtocol) -> None:
        self.websocket = websocket
        self.ids = itertools.count(1)
        self.session: dict[str, str] = {}

    async def call(self, method: str, **params: Any) -> Any:
        """Call a method; events that come in the meantime are of no interest."""
        call_id = next(self.ids)
        command = {"id": call_id, "method": method, "params": params, **self.session}
        await self.websocket.send(json.dumps(command))
        while (answer := json.loads(await self.websocket.recv())).get("id") != call_id:
            pass
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    async def event(self, method: str) -> None:
        """Wait for an event."""
        while json.loads(await self.websocket.recv()).get("method") != method:
            pass

    async def open(self, url: str) -> None:
        """Open a URL in a new page, and wait until it is loaded."""
        target = await self.call("Target.createTarget", url="about:blank")
        attached = await self.call("Target.attachToTarget", flatten=True, **target)
        self.session = {"sessionId": attached["sessionId"]}
        await self.call("Page.enable")
        await self.call("Page.navigate", url=url)
        await self.event("Page.loadEventFired")

    async def another(self, url: str) -> Page:
        """Open a URL in one more page of the same browser. One is used at a time."""
        page = Page(self.websocket)
        page.ids = self.ids
        await page.open(url)
        return page

    async def reload(self) -> None:
        """Load the page again, and wait until that's done."""
        await self.call("Page.reload")
        await self.event("Page.loadEventFired")

    async def wait_for(self, condition: str) -> None:
        """Wait until an expression is true."""
        await self.evaluate(
            "new Promise((done) => { const look = () => "
            f"({condition}) ? done() : setTimeout(look, 5); look(); }})"
        )

    async def evaluate(self, expression: str) -> Any:
        """Return the value of an expression; if it is a promise, what that gives."""
        answer = await self.call(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")


@contextlib.asynccontextmanager
async def open_page(url: str) -> AsyncIterator[Page]:
    """Start a browser with an empty profile, and open a URL in it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            find_chromium(),
            *FLAGS,
            f"--user-data-dir={profile}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            uri = await _devtools_uri(process)
            async with websockets.connect(uri, max_size=None) as websocket:
                page = Page(websocket)
                await page.open(url)
                yield page
                page.session = {}
                await page.call("Browser.close")
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            # Also takes what else it writes, so that it never waits for us.
            await process.communicate()


async def _devtools_uri(process: asyncio.subprocess.Process) -> str:
    """Return where the DevTools listen: the browser prints it."""
    assert process.stderr is not None
    output = b""
    async for line in process.stderr:
        output += line
        if line.startswith(b"DevTools listening on "):
            return line.split()[-1].decode()
    raise AssertionError(f"the browser didn't start: {output.decode()}")
