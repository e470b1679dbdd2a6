"""Take the screenshots of the documentation anew, in a headless Chromium.

Run: python docs/screenshots/take.py HTML [name ...]

HTML is the directory with the documentation, built. Without names, all are taken.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import html
import os
import pathlib
import pty
import re
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent.parent

sys.path.insert(0, str(ROOT / "tests"))

from peers.chromium import Page, open_page  # noqa: E402

PORT = 8765

#: A whole game but for some lines, and who has drawn them.
LINES = [
    "across,0,0 across,2,1 down,1,1 across,3,3 down,0,0 across,1,2 down,2,3 across,4,0",
    "across,1,0 down,3,1 down,0,1 across,2,2 across,1,1 down,1,2 across,2,3 down,0,2",
    "across,0,1 down,1,3 across,1,3 down,3,3",
]

CLICK = """
    document.querySelector('[data-line="{}"]')
        ?.dispatchEvent(new MouseEvent("click", {{ bubbles: true }}))
"""

#: Colours of a terminal, as the page that stands for one has them.
COLOURS = {"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "34": "#79c0ff",
           "35": "#d2a8ff", "36": "#76e3ea", "90": "#8b949e", "2": "#8b949e",
           "1": "#ffffff"}  # fmt: skip

TERMINAL = """<!doctype html><meta charset="utf-8"><style>
    body { background: #0d1117; margin: 0; padding: 14px 18px }
    pre { color: #e6edf3; font: 14px/1.45 "DejaVu Sans Mono", monospace; margin: 0 }
</style><pre>"""


async def shoot(
    page: Page, name: str, width: int, height: int, dark: bool = False
) -> None:
    """Save what a page of that size looks like."""
    await page.call("Page.bringToFront")
    await page.call(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=height,
        deviceScaleFactor=1,
        mobile=width < 500,
    )
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    await page.call("Emulation.setEmulatedMedia", features=[scheme])
    await page.evaluate(
        "new Promise((f) => requestAnimationFrame(() => requestAnimationFrame(f)))"
    )
    shot = await page.call("Page.captureScreenshot", format="png")
    (HERE / f"{name}.png").write_bytes(base64.b64decode(shot["data"]))


@contextlib.contextmanager
def running(*words: str) -> Iterator[None]:
    """Run a program of Python that says when it's ready."""
    process = subprocess.Popen(
        [sys.executable, "-u", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    try:
        yield
    finally:
        process.terminate()
        process.communicate()


async def tutorial(docs: pathlib.Path) -> None:
    """The game, in the middle of it."""
    with running("example/tutorial/server.py", str(PORT)):
        async with open_page(f"http://localhost:{PORT}/") as red:
            await red.wait_for("document.getElementById('link').value")
            blue = await red.another(
                await red.evaluate("document.getElementById('link').value")
            )
            for drawn, line in enumerate(" ".join(LINES).split(), 1):
                for page in red, blue:
                    await page.evaluate(CLICK.format(line))
                for page in red, blue:
                    await page.wait_for(
                        "document.querySelectorAll('line.red, line.blue').length "
                        f">= {drawn}"
                    )
            await red.evaluate(
                "status.textContent = status.textContent.replace(/^No.*/, '');"
                "document.getElementById('link').blur()"
            )
            await shoot(red, "tutorial", 460, 750)


async def front(docs: pathlib.Path) -> None:
    """The first page of the documentation: light, and dark on a telephone."""
    async with open_page((docs / "index.html").as_uri()) as page:
        await shoot(page, "front", 1240, 900)
        await shoot(page, "front-mobile", 400, 720, dark=True)


async def serve(docs: pathlib.Path) -> None:
    """The page that ``websockets serve`` has for browsers."""
    with running("-m", "websockets", "serve", "--port", str(PORT)):
        async with open_page(f"http://localhost:{PORT}/") as page:
            await page.wait_for(
                "document.querySelector('#state').innerText === 'connected'"
            )
            for i, text in enumerate(["Hello!", '{"op": "status"}', "Grüße"]):
                await page.evaluate(
                    f"document.querySelector('#text').value = {text!r};"
                    "document.querySelector('form button').click()"
                )
                await page.wait_for(
                    f"document.querySelectorAll('#log li').length === {2 * i + 3}"
                )
            await shoot(page, "serve-page", 720, 420)


def as_html(output: str) -> str:
    """Return what a terminal shows, colours included; cursor movements are left out."""
    # What is written over isn't seen.
    output = re.sub(r"[^\n]*\r\x1b\[K", "", output)
    output = re.sub(r"\x1b\[[0-9;?]*[A-LN-Za-ln-z]", "", output).replace("\r", "")
    shown = html.escape(output)

    def colour(match: re.Match[str]) -> str:
        codes = [code for code in match[1].split(";") if code in COLOURS]
        return "</span><span" + (
            f' style="color:{COLOURS[codes[0]]}">' if codes else ">"
        )

    return "<span>" + re.sub(r"\x1b\[([0-9;]*)m", colour, shown) + "</span>"


@contextlib.asynccontextmanager
async def terminal(output: str) -> AsyncIterator[Page]:
    """Show the output of commands in a page that looks like a terminal."""
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory, "terminal.html")
        path.write_text(TERMINAL + as_html(output), encoding="utf-8")
        async with open_page(path.as_uri()) as page:
            yield page


def session(command: str, typed: list[str], waits: list[str]) -> str:
    """Run a command in a terminal, type lines, and return what it shows."""
    words = [sys.executable, "-m", *command.split()]
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(TERM="xterm-256color", WEBSOCKETS_HISTORY="", COLUMNS="80")
        os.execv(sys.executable, words)
    shown = f"\x1b[1m$ {command}\x1b[0m\n"
    fresh = ""
    for line, wait in zip([*typed, ""], [*waits, ""], strict=True):
        with contextlib.suppress(OSError):
            while wait not in fresh or not wait:
                data = os.read(fd, 4096)
                if not data:
                    break
                fresh += data.decode()
        shown += fresh
        fresh = ""
        os.write(fd, line.encode()) if line else None
    os.waitpid(pid, 0)
    return shown


async def command_line(docs: pathlib.Path) -> None:
    """The interactive client, and pings."""
    uri = f"ws://localhost:{PORT}/"
    with running("-m", "websockets", "serve", "--port", str(PORT)):
        shown = await asyncio.to_thread(
            session,
            f"websockets {uri} --json",
            ['{"op": "status", "values": [1, 2.5]}\r', "\x04"],
            ["Connected", "\n}"],
        )
        shown += await asyncio.to_thread(
            session, f"websockets ping {uri} --count 2", [], []
        )
    async with terminal(shown) as page:
        height = await page.evaluate("document.querySelector('pre').offsetHeight")
        await shoot(page, "command-line", 720, height + 28)


SHOTS = {
    "tutorial": tutorial,
    "front": front,
    "serve": serve,
    "command-line": command_line,
}


async def main(docs: str, *names: str) -> None:
    """Take the screenshots with these names, or all."""
    for name in names or SHOTS:
        await SHOTS[name](pathlib.Path(docs).resolve())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
