"""Exchanges with a page in a headless Chromium."""

from __future__ import annotations

import asyncio
import contextlib
import http
import json
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import websockets

from . import HERE
from .chromium import Page, find_chromium, open_page
from .exchanges import CLOSES, LIMIT, PeerCompresses, our_server

find_chromium()


async def serve_page(path: str, headers: websockets.Headers) -> Any:
    """Answer every request with the page."""
    content_type = {"Content-Type": "text/html; charset=utf-8"}
    return http.HTTPStatus.OK, content_type, (HERE / "page.html").read_bytes()


@contextlib.asynccontextmanager
async def page_in_browser() -> AsyncIterator[Page]:
    """Start a server for the page, and a browser that opens it."""
    async with websockets.serve(
        asyncio.sleep, "127.0.0.1", 0, process_request=serve_page
    ) as server:
        host, port = server.sockets[0].getsockname()
        async with open_page(f"http://{host}:{port}/") as page:
            yield page


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Run an event loop in a thread: it lives longer than those of the tests."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture(scope="module")
def page(loop: asyncio.AbstractEventLoop) -> Iterator[Page]:
    """Start a browser, once for all tests."""
    manager = page_in_browser()

    def run(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)

    yield run(manager.__aenter__())
    run(manager.__aexit__(None, None, None))


class TestChromiumIsClient(PeerCompresses):
    """Pages can't send pings and fragments, nor all close codes."""

    closes = CLOSES

    @pytest.fixture(autouse=True)
    def browser(self, loop: asyncio.AbstractEventLoop, page: Page) -> None:
        self.loop = loop
        self.page = page

    async def run(self, uri: str, name: str, *arguments: str) -> Any:
        call = f"run(...{json.dumps([uri, name, *arguments])})"
        return await asyncio.wrap_future(
            asyncio.run_coroutine_threadsafe(self.page.evaluate(call), self.loop)
        )

    async def test_close_from_peer_without_code(self) -> None:
        async with asyncio.timeout(LIMIT), our_server() as service:
            result = await self.run(service.uri, "close_from_peer")
            assert result == [1005, "", True]
            assert (await service.seen.get())[:2] == (1005, "")
