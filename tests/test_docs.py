"""Every block of code in the documentation runs, and prints what it says."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import functools
import inspect
import logging
import pathlib
import re
import runpy
import shutil
import signal
import ssl
import threading
import xml.etree.ElementTree
from collections.abc import Iterator
from typing import Any

import pytest

import websockets
from docs_blocks import DOCS, ROOT, Block, all_blocks
from faces.support import CERTIFICATES, client_tls, echo, port_of, server_tls
from peers.chromium import find_chromium, open_page

BLOCKS = all_blocks()

#: Pages whose blocks have tests of their own.
ELSEWHERE = {
    "docs/howto/testing.rst": "test_testing_docs.py",
    "docs/topics/command-line.rst": "test_cli_docs.py",
    "docs/tutorial/rules.rst": "test_tutorial.py",
}

#: Blocks that don't run here, and why.
NOT_RUN = {
    "docs/howto/observability.rst:3": "is in Prometheus' language",
    "docs/topics/proxies.rst:1": "connects to other machines; peers/test_proxies.py",
    "tests/certificates/README.md:1": "makes what is there, valid for 100 years",
    "docs/topics/proxies.rst:3": "connects to other machines; faces/test_proxies.py",
}

#: Commands that don't run here, and why, or what checks them.
COMMANDS = {
    r"(python3? -m )?pip install |WEBSOCKETS_SPEEDUPS=0 pip install ": "installs",
    r"python3 -m venv env|\. env/bin/activate": "makes an environment",
    r"docker (build|run) ": "needs Docker; test_deployment.py checks the parts",
    r"systemctl |journalctl ": "needs systemd; test_deployment.py checks the units",
    r"benchmarks/\.envs/loadgen ": "is compiled first, by benchmarks/run.py",
    r"python3 dev\.py \w+": "see test_commands",
    r"python [\w/]+\.py": "see test_commands",
    r"(\.* \| )?websockets ": "see test_commands",
}


def is_program(block: Block) -> bool:
    """Tell whether a block starts an event loop by itself."""
    return block.kind == "python" and bool(
        re.search(r"^(asyncio|uvloop)\.run\(", block.code, re.MULTILINE)
    )


def is_python(block: Block) -> bool:
    """Tell whether a block is Python: blocks that don't say may be."""
    if block.kind == "":
        with contextlib.suppress(SyntaxError):
            ast.parse(block.code)
            return True
    return block.kind == "python"


HERE = [b for b in BLOCKS if b.page not in ELSEWHERE and b.name not in NOT_RUN]

PROGRAMS = [
    block for block in HERE if is_program(block) and "getting" not in block.page
]

SNIPPETS = [block for block in HERE if is_python(block) and not is_program(block)]

SHELL = [b for b in HERE if b.kind in ("console", "shell", "") and not is_python(b)]


# Nothing is left out.


def test_tables_name_what_is_there() -> None:
    assert {block.name for block in BLOCKS} >= NOT_RUN.keys()
    for page, name in ELSEWHERE.items():
        test = (ROOT / "tests" / name).read_text()
        assert pathlib.Path(page).name in test or pathlib.Path(page).stem in test


def test_every_block_is_run_or_has_a_reason() -> None:
    run = {block.name for block in (*PROGRAMS, *SNIPPETS, *SHELL, *STARTING, *BROWSER)}
    output = {b.name for b in BLOCKS if b.kind == "text"}
    assert {block.name for block in HERE} - run - output == set()
    assert len(PROGRAMS) > 30 and len(SNIPPETS) > 30


def test_included_files_are_tested() -> None:
    tested = {"tutorial", "deployment", "observability", "logging", "howto"}
    for page in DOCS.rglob("*.rst"):
        for path in re.findall(r"literalinclude:: (\S+)", page.read_text("utf-8")):
            included = (page.parent / path).resolve().relative_to(ROOT / "example")
            assert (ROOT / "example" / included).exists()
            assert len(included.parts) == 1 or included.parts[0] in tested


# Programs.


@pytest.fixture
def folder(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[pathlib.Path]:
    """Go to a folder with the files that programs read; restore logging at the end."""
    for name in "ca.pem", "server.pem", "client.pem":
        shutil.copy(CERTIFICATES / name, tmp_path)
    for name in "certificate.pem", "key.pem":
        shutil.copy(CERTIFICATES / "server.pem", tmp_path / name)
    monkeypatch.chdir(tmp_path)
    loggers = [logging.getLogger(), *map(logging.getLogger, LOGGERS)]
    before = [(x.level, x.handlers[:], x.filters[:], x.propagate) for x in loggers]
    yield tmp_path
    for logger, (level, handlers, filters, propagate) in zip(
        loggers, before, strict=True
    ):
        logger.setLevel(level)
        logger.handlers[:], logger.filters[:] = handlers, filters
        logger.propagate = propagate


LOGGERS = ("websockets", "websockets.client", "websockets.server")


def execute(block: Block, port: int, names: dict[str, Any] | None = None) -> None:
    """Run a program as if it were a module of its own."""
    for name in "werkzeug", "aiohttp", "picows", "uvloop", "prometheus_client":
        if re.search(rf"^(import|from) {name}\b", block.code, re.MULTILINE):
            pytest.importorskip(name, reason=f"{name} isn't installed")
    code = block.code.replace("8765", str(port))
    exec(compile(code, block.name, "exec", dont_inherit=True), names or {})


@pytest.mark.parametrize("block", PROGRAMS, ids=lambda block: block.name)
@pytest.mark.usefixtures("folder")
def test_program(
    block: Block,
    port: int,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    execute(block, port)
    printed = capsys.readouterr().out.strip()
    if block.output is not None:
        assert printed == block.output.strip()
    assert [str(exc) for exc in map(failure, caplog.records) if exc] == []


STARTING = [b for b in HERE if is_program(b) and "getting-started" in b.page]


def test_getting_started(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    server, client = STARTING
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    code = server.code.replace("serve_forever", "wait_until_told")
    code = code.replace("asyncio.run(main())", "")

    async def wait_until_told(self: Any) -> None:
        ready.set()
        await stop.wait()

    ready = threading.Event()
    names: dict[str, Any] = {}
    exec(compile(code.replace("8765", str(port)), server.name, "exec"), names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            websockets.WebSocketServer,
            "wait_until_told",
            wait_until_told,
            raising=False,
        )
        thread = threading.Thread(
            target=lambda: loop.run_until_complete(names["main"]())
        )
        thread.start()
        assert ready.wait(30)
        execute(client, port)
        loop.call_soon_threadsafe(stop.set)
        thread.join()
    loop.close()
    assert capsys.readouterr().out == "Hello, Ada!\n"
    assert "Hello, Ada!" in (DOCS / "getting-started.rst").read_text()


# Snippets: they take names from what is around them, and from here.


async def consume(websocket: Any) -> None:
    async for message in websocket:
        print(message)


async def produce(websocket: Any) -> None:
    await websocket.send("produced")
    await websocket.wait_closed()


FORMATTER = ROOT / "example" / "logging" / "json_log_formatter.py"

#: What snippets may use without having made it.
NAMES = {
    "asyncio": asyncio,
    "logging": logging,
    "websockets": websockets,
    "ssl": ssl,
    "handler": echo,
    "database": object(),
    "consume": consume,
    "produce": produce,
    "JSONFormatter": runpy.run_path(str(FORMATTER))["JSONFormatter"],
}


class Stage:
    """
    Servers that snippets find, and what is done with the names they make.

    Args:
        names: the names that snippets of the page have made, and those above.

    """

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names
        self.connected = asyncio.Event()

    async def greet(self, websocket: Any) -> None:
        """Be the server of those who connect: say something, and echo."""
        self.connected.set()
        await websocket.send("Hello!")
        await echo(websocket)

    async def play(self, block: Block) -> None:
        """Run a snippet, and use what it has made."""
        async with contextlib.AsyncExitStack() as stack:
            start = stack.enter_async_context
            plain = await start(websockets.serve(self.greet, "localhost", 0))
            secure = await start(
                websockets.serve(self.greet, "localhost", 0, ssl=server_tls())
            )
            uri = f"ws://localhost:{port_of(plain)}"
            websocket = await start(websockets.connect(uri))
            self.connected.clear()
            self.names.update(uri=uri, websocket=websocket)
            code = block.code.replace("sleep(1)", "sleep(0)")
            code = code.replace(
                "wss://localhost:8765", f"wss://localhost:{port_of(secure)}"
            )
            code = code.replace("ws://localhost:8765", uri).replace("8765", "0")
            before = dict(self.names)
            await self.execute(
                compile(
                    code,
                    block.name,
                    "exec",
                    ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
                    dont_inherit=True,
                )
            )
            new = {n: v for n, v in self.names.items() if before.get(n, n) is not v}
            await self.use(new)

    async def execute(self, code: Any) -> None:
        """Run code; if it goes on for ever, until it has connected."""
        result = eval(code, self.names)
        if not inspect.iscoroutine(result):
            return
        task = asyncio.ensure_future(result)
        seen = asyncio.ensure_future(self.connected.wait())
        await asyncio.wait([task, seen], return_when=asyncio.FIRST_COMPLETED)
        seen.cancel()
        while not task.done():
            # It was connected, and may be at its end soon.
            for _ in range(20):
                await asyncio.sleep(0)
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def use(self, new: dict[str, Any]) -> None:
        """Do what one does with things of these names."""
        if new.get("server"):
            await self.use_server(new["server"], new.get("context"))
        elif "connection" in new:
            async with new["connection"] as websocket:
                assert await websocket.recv() == "Hello!"
        elif "process_request" in new:
            await self.use_server(
                websockets.serve(
                    echo, "localhost", 0, process_request=new["process_request"]
                )
            )
        elif inspect.iscoroutinefunction(new.get("handler")):
            await self.use_server(websockets.serve(new["handler"], "localhost", 0))
        for name in new.keys() & {"main", "client"}:
            await self.stop(
                functools.partial(new[name], *[self.names["uri"]][: name == "client"])
            )

    async def use_server(self, server: Any, context: Any = None) -> None:
        """Connect to a server; it may refuse."""
        async with server as running:
            uri = f"ws://localhost:{port_of(running)}/"
            arguments: dict[str, Any] = {}
            if context is not None:
                uri, arguments = uri.replace("ws", "wss"), {"ssl": client_tls()}
            for path in "", "healthz":
                try:
                    async with websockets.connect(uri + path, **arguments) as websocket:
                        await websocket.send("Hello!")
                except websockets.InvalidStatusCode as exc:
                    assert exc.status_code in (200, 401)
                except websockets.ConnectionClosedOK:
                    pass

    async def stop(self, main: Any) -> None:
        """Run something that ends on SIGTERM."""
        task = asyncio.ensure_future(main())
        while signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            await asyncio.sleep(0)
        signal.raise_signal(signal.SIGTERM)
        await task
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)


@pytest.mark.parametrize("page", sorted({block.page for block in SNIPPETS}))
@pytest.mark.usefixtures("folder")
def test_snippets(
    page: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    names = {**NAMES, "__name__": page}
    for block in SNIPPETS:
        if block.page != page:
            continue
        try:
            if "asyncio.Runner()" in block.code:
                run_in_thread(block)
            else:
                asyncio.run(Stage(names).play(block))
        except BaseException as exc:
            exc.add_note(f"in {block.name}, line {block.line}")
            raise
        printed = capsys.readouterr().out.strip()
        if block.output is not None:
            assert printed == block.output.strip()
    assert [str(exc) for exc in map(failure, caplog.records) if exc] == []


def failure(record: logging.LogRecord) -> object:
    """Return what a handler raised; that the client has gone is none of its faults."""
    if record.levelno < logging.ERROR:
        return None
    exc = record.exc_info[1] if record.exc_info else None
    return None if isinstance(exc, websockets.ConnectionClosed) else record


def run_in_thread(block: Block) -> None:
    """Run a snippet that isn't asynchronous, with a server in a thread."""
    loop = asyncio.new_event_loop()

    async def start() -> Any:
        return await websockets.serve(echo, "localhost", 0)

    server = loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    execute(block, port_of(server), dict(NAMES))
    loop.call_soon_threadsafe(server.close)
    asyncio.run_coroutine_threadsafe(server.wait_closed(), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


# Commands.


def commands(block: Block) -> Iterator[str]:
    """Yield the commands of a block: in a console, they begin with a dollar sign."""
    for line in block.code.splitlines():
        if block.kind != "console":
            yield line
        elif line.startswith("$ "):
            yield line[2:]


@pytest.mark.parametrize("block", SHELL, ids=lambda block: block.name)
def test_commands(block: Block) -> None:
    assert list(commands(block))
    for line in commands(block):
        assert any(re.match(pattern, line) for pattern in COMMANDS), line
        if match := re.match(r"python3 dev\.py (\w+)", line):
            assert f'"{match[1]}": Command(' in (ROOT / "dev.py").read_text()
        elif match := re.match(r"python ([\w/]+\.py)", line):
            places = [ROOT, ROOT / "example" / "tutorial"]
            assert any((place / match[1]).exists() for place in places), line
        elif line.startswith("websockets "):
            from test_cli_docs import check

            check(line)


# Pages.

BROWSER = [block for block in HERE if block.kind in ("html", "javascript")]


def test_in_a_browser() -> None:
    find_chromium()
    page, script = BROWSER[::-1] if BROWSER[0].kind == "javascript" else BROWSER

    async def answer(path: str, headers: Any) -> Any:
        if "Upgrade" in headers:
            return None
        html = page.code.replace("localhost:8765", headers["Host"])
        return 200, {"Content-Type": "text/html"}, html.encode()

    async def run() -> None:
        async with websockets.serve(
            echo, "localhost", 0, process_request=answer
        ) as server:
            host = f"localhost:{port_of(server)}"
            async with open_page(f"http://{host}/") as opened:
                await opened.wait_for("document.body.innerText === 'Hello from a page'")
                code = script.code.replace("wss://example.com", f"ws://{host}")
                await opened.evaluate(
                    "new Promise((done) => { const token = 'zV9mAb';"
                    f"{code} websocket.onmessage = (e) => done(e.data) }})"
                    ".then((data) => { document.body.append(data) })"
                )
                await opened.wait_for("document.body.innerText.endsWith('zV9mAb')")

    asyncio.run(run())


# What users have asked, and where it is answered: words of the headings.

QUESTIONS = """
    after one message | only one client | more arguments to the handler | HTTP headers
    IP address of a client | addresses that a server listens on
    close a connection from a server | HTTP and WebSocket on the same port
    close a connection from a client | reconnect | receives messages for ever
    verification of TLS | two things at once | channels, topics or rooms
    no close frame received or sent | arguments to a subclass | has no attribute
    callbacks such as | without ``async`` and ``await`` | timeout on ``recv()``
    idle connections open | answer pings | Python 2
"""

#: What the cheat sheet is to say.
HINTS = """
    await websocket.recv() | exc:`~websockets.exceptions.ConnectionClosed`
    Tasks that you have started | await websocket.wait_closed() | await websocket.ping()
    websockets.serve | create_server | when its handler returns | create_protocol
    websockets.WebSocketServerProtocol | websockets.connect | create_connection
    websockets.WebSocketClientProtocol | await websocket.close()
    getLogger("websockets")
    ERROR | INFO | DEBUG | developing with asyncio
"""


def listed(text: str) -> list[str]:
    return [
        item.strip()
        for line in text.split("\n")
        for item in line.split("|")
        if item.strip()
    ]


def test_faq_answers_every_question() -> None:
    text = (DOCS / "faq.rst").read_text(encoding="utf-8")
    headings = re.findall(r"^(.+)\n\.{10,}$", text, re.MULTILINE)
    for words in listed(QUESTIONS):
        assert [h for h in headings if words in h], words
    # No heading without an answer.
    for heading in headings:
        answer = text.partition(f"\n{heading}\n")[2].partition("\n\n")[2]
        assert re.match(r"[\w.`:]", answer), heading


def test_cheat_sheet_says_what_is_asked_most() -> None:
    text = (DOCS / "cheat-sheet.rst").read_text(encoding="utf-8")
    for words in listed(HINTS):
        assert words in text, words


# Pictures.


def test_drawings_are_what_their_program_makes() -> None:
    program = runpy.run_path(str(DOCS / "drawings" / "draw.py"))
    pages = "".join(page.read_text(encoding="utf-8") for page in DOCS.rglob("*.rst"))
    for draw in program["DRAWINGS"]:
        path = DOCS / "drawings" / f"{draw.__name__}.svg"
        assert path.read_text(encoding="utf-8") == draw(), "run docs/drawings/draw.py"
        root = xml.etree.ElementTree.fromstring(draw())
        assert root.find("{http://www.w3.org/2000/svg}title") is not None
        assert f"drawings/{path.name}" in pages


def test_screenshots_are_shown_and_described() -> None:
    shown = {}
    for page in DOCS.rglob("*.rst"):
        text = page.read_text(encoding="utf-8")
        images = re.findall(r"image:: (\S+\.png)\n((?:    .*\n)*)", text)
        for path, options in images:
            shown[(page.parent / path).resolve()] = options
    assert shown.keys() == set((DOCS / "screenshots").glob("*.png"))
    assert all(":alt:" in options for options in shown.values())
