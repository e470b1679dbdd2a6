"""The page of ``websockets serve`` in a headless Chromium."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from cli_support import parse
from websockets.asyncio.client import connect
from websockets.cli import serve

from .chromium import Page, find_chromium, open_page

find_chromium()

LOG = '[...document.querySelectorAll("#log li")].map((e) => e.className + e.innerText)'


async def wait_for(page: Page, expression: str, expected: Any) -> None:
    """Wait until an expression has some value."""
    await page.evaluate(
        "new Promise((done) => { const check = () => "
        f"JSON.stringify({expression}) === JSON.stringify({json.dumps(expected)}) "
        "? done() : setTimeout(check, 5); check(); })"
    )


async def test_page(capsys: Any) -> None:
    options = parse(serve, "--broadcast", "--host", "127.0.0.1", "--port", 0)
    task = asyncio.ensure_future(serve.run(options))
    printed = ""
    while printed.count("\n") < 2:
        await asyncio.sleep(0)
        printed += capsys.readouterr().out
    address = printed.split()[-1]
    uri = address.replace("http", "ws")
    expected = [f"noteConnected to {uri}."]
    async with asyncio.timeout(50), open_page(address) as page, connect(uri) as other:
        await wait_for(page, LOG, expected)
        await page.evaluate(
            'document.querySelector("#text").value = "<b>hello";'
            'document.querySelector("form button").click()'
        )
        assert await other.recv() == "<b>hello"
        expected += ["out<b>hello", "in<b>hello"]
        await wait_for(page, LOG, expected)
        await other.send(b"\x00\xff")
        expected += ["in(binary) 00ff"]
        await wait_for(page, LOG, expected)
        toggle = 'document.querySelector("#toggle").click()'
        await page.evaluate(toggle)
        expected += ["noteConnection closed: 1005."]
        await wait_for(page, LOG, expected)
        await page.evaluate(toggle)
        await wait_for(page, 'document.querySelector("#state").innerText', "connected")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
