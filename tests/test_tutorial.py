"""The game that the tutorial makes: each step of it, up to two players in browsers."""

from __future__ import annotations

import asyncio
import difflib
import json
import pathlib
import re
import runpy
import subprocess
import sys
import textwrap
from typing import Any

import pytest

import websockets
from peers.chromium import Page, find_chromium, open_page
from test_examples import EXAMPLES, get, lines_until, needs_unix, started

TUTORIAL = EXAMPLES / "tutorial"

Game = runpy.run_path(str(TUTORIAL / "boxes.py"))["Game"]

#: The last box of a game is closed by player 1: all lines in an order that does it.
SIDES = [("across", 0, 0), ("down", 0, 0), ("across", 1, 0), ("down", 0, 1)]


# Step 1: the rules.


def test_who_closes_a_box_draws_again() -> None:
    game = Game()
    for player, line in zip([0, 1, 0, 1], SIDES, strict=True):
        assert game.turn == player
        game.draw(player, line)
    assert game.boxes == {(0, 0): 1}
    assert game.turn == 1
    game.draw(1, ("across", 4, 3))
    assert game.turn == 0


def test_two_boxes_at_once() -> None:
    game = Game(2)
    around = {*SIDES, ("across", 0, 1), ("across", 1, 1), ("down", 0, 2)}
    for line in sorted(around - {("down", 0, 1)}):
        game.draw(game.turn, line)
    game.draw(player := game.turn, ("down", 0, 1))
    assert game.boxes == {(0, 0): player, (0, 1): player}


@pytest.mark.parametrize(
    "player, line, text",
    [
        (1, ("across", 0, 0), "it isn't your turn"),
        (None, ("across", 0, 0), "it isn't your turn"),
        (0, ("across", 0, 4), "there is no such line"),
        (0, ("down", 4, 0), "there is no such line"),
        (0, ("up", 0, 0), "there is no such line"),
        (0, ("across", -1, 0), "there is no such line"),
        (0, ("across", 2, 2), "this line is drawn already"),
    ],
)
def test_what_is_against_the_rules(player: Any, line: Any, text: str) -> None:
    game = Game()
    game.draw(0, ("across", 2, 2))
    game.draw(1, ("across", 3, 3))
    with pytest.raises(ValueError, match=text):
        game.draw(player, line)


def play_alone(game: Any) -> None:
    """Draw all lines, each by whose turn it is."""
    for direction in "across", "down":
        for row in range(game.size + (direction == "across")):
            for column in range(game.size + (direction == "down")):
                game.draw(game.turn, (direction, row, column))


def test_a_whole_game() -> None:
    game = Game()
    play_alone(game)
    state = json.loads(json.dumps(game.state()))
    assert state["over"] and sum(state["score"]) == 16 == len(state["boxes"])
    assert len(state["lines"]) == 40


# Steps 2 to 4: servers, and programs that play.


async def join(port: int, **message: Any) -> Any:
    """Connect to a game; return the connection and the answer."""
    websocket = await websockets.connect(f"ws://localhost:{port}/play")
    await websocket.send(json.dumps(message))
    return websocket, json.loads(await websocket.recv())


async def draw(websocket: Any, *line: Any) -> Any:
    """Draw a line; return the answer."""
    await websocket.send(json.dumps(line))
    return json.loads(await websocket.recv())


@pytest.mark.parametrize("name", ["step_2", "step_3", "server"])
def test_pages(name: str, port: int) -> None:
    page = TUTORIAL / ("page.html" if name == "server" else f"{name}.html")
    with started(f"tutorial/{name}.py", port):
        html = "text/html; charset=utf-8"
        assert get(port, "/") == (200, html, page.read_bytes())
        assert get(port, "/favicon.ico")[0] == 404


def test_step_2(port: int) -> None:
    async def play() -> None:
        async with websockets.connect(f"ws://localhost:{port}/play") as websocket:
            assert json.loads(await websocket.recv())["lines"] == []
            for line in SIDES:
                state = await draw(websocket, *line)
            assert state["boxes"] == [[0, 0, 1]] and state["turn"] == 1
            answer = await draw(websocket, *SIDES[0])
            assert answer == {"error": "this line is drawn already"}

    with started("tutorial/step_2.py", port):
        asyncio.run(play())


@pytest.mark.parametrize("name", ["step_3", "server"])
def test_two_players_and_one_who_watches(name: str, port: int) -> None:
    async def play() -> None:
        red, welcome = await join(port, game=None, seat=None)
        assert welcome["you"] == 0
        assert json.loads(await red.recv())["turn"] == 0
        blue, welcome = await join(port, game=welcome["game"], seat=None)
        assert welcome["you"] == 1
        watcher, welcome = await join(port, game=welcome["game"], seat=None)
        assert welcome["you"] is None
        for each, times in (red, 2), (blue, 2), (watcher, 1):
            for _ in range(times):
                assert json.loads(await each.recv())["lines"] == []
        error = {"error": "it isn't your turn"}
        assert await draw(blue, *SIDES[0]) == error
        assert await draw(watcher, *SIDES[0]) == error
        state = await draw(red, *SIDES[0])
        assert state["turn"] == 1 and state["lines"] == [[*SIDES[0], 0]]
        assert json.loads(await blue.recv()) == json.loads(await watcher.recv())
        for each in red, blue, watcher:
            await each.close()

        lost, answer = await join(port, game="none", seat=None), None
        raise AssertionError(lost, answer)

    with started(f"tutorial/{name}.py", port):
        with pytest.raises(websockets.ConnectionClosed, match="4004.*no such game"):
            asyncio.run(play())


def test_seats_are_kept_and_nonsense_is_answered(port: int) -> None:
    async def play() -> None:
        red, welcome = await join(port, game=None, seat=None)
        state = json.loads(await red.recv())
        assert await draw(red, *SIDES[0]) != state
        await red.close()
        # The game is kept while nobody is there, and so are the seats.
        red, again = await join(port, game=welcome["game"], seat=welcome["seat"])
        assert again == welcome
        assert json.loads(await red.recv())["lines"] == [[*SIDES[0], 0]]
        for nonsense in "{", '"across"', '["across", "0", 0]', "[[], {}, 0]", "null":
            await red.send(nonsense)
            assert json.loads(await red.recv()) == {"error": "that is no line"}
        await red.send("x" * 1025)
        await red.wait_closed()
        assert red.close_code == 1009
        with pytest.raises(websockets.InvalidStatusCode, match="403"):
            await websockets.connect(
                f"ws://localhost:{port}/play", origin="http://elsewhere.example"
            )
        for nonsense in "{", "5", '{"game": 5, "seat": null}', '{"game": null}':
            async with websockets.connect(f"ws://localhost:{port}/play") as websocket:
                await websocket.send(nonsense)
                await websocket.wait_closed()
                assert websocket.close_code == 4004

    with started("tutorial/server.py", port):
        asyncio.run(play())


@needs_unix
def test_stops_on_sigterm(port: int) -> None:
    async def play(server: subprocess.Popen[str]) -> None:
        red, _ = await join(port, game=None, seat=None)
        server.terminate()
        await red.wait_closed()
        assert red.close_code == 1001

    with started("tutorial/server.py", port) as server:
        asyncio.run(play(server))
        assert lines_until(server, "Stopped") == ["Stopped"]
        assert server.wait() == 0


def test_tables_are_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TUTORIAL))
    program = runpy.run_path(str(TUTORIAL / "server.py"))

    async def leave() -> None:
        table: Any = program["find_table"](None)
        websocket: Any = object()
        table.join(websocket)
        table.leave(websocket)
        assert table.end.when() - asyncio.get_running_loop().time() > 590
        table.join(websocket)
        assert table.end is None
        table.leave(websocket)
        end: Any = table.end
        end._callback(*end._args)
        assert program["tables"] == {}
        end.cancel()

    asyncio.run(leave())


# And in browsers.

STATUS = "document.getElementById('status').textContent"

DRAWN = "document.querySelectorAll('line.red, line.blue').length"

CLICK = """
    document.querySelector('[data-line="{}"]')
        .dispatchEvent(new MouseEvent("click", {{ bubbles: true }}))
"""


async def click(page: Page, *line: object) -> None:
    await page.evaluate(CLICK.format(",".join(map(str, line))))


async def sees(page: Page, text: str) -> None:
    """Wait until the status says something."""
    await page.wait_for(f"{STATUS} === {json.dumps(text)}")


def test_step_2_in_a_browser(port: int) -> None:
    find_chromium()

    async def play() -> None:
        async with open_page(f"http://localhost:{port}/") as page:
            for i, line in enumerate(SIDES):
                await sees(page, f"It's the turn of {['red', 'blue'][i % 2]}.")
                await click(page, *line)
            await page.wait_for("document.querySelectorAll('rect.blue').length === 1")
            assert await page.evaluate(
                "document.getElementById('score').innerText"
            ) == ("Red 0 : 1 Blue")

    with started("tutorial/step_2.py", port):
        asyncio.run(play())


@pytest.mark.parametrize("name", ["step_3", "server"])
def test_two_in_a_browser(name: str, port: int) -> None:
    find_chromium()

    async def play(server: subprocess.Popen[str]) -> None:
        async with open_page(f"http://localhost:{port}/") as red:
            await sees(red, "You are red. It's your turn.")
            link = await red.evaluate("document.getElementById('link').value")
            blue = await red.another(link)
            await sees(blue, "You are blue. red is to draw.")
            await click(blue, *SIDES[0])
            await sees(blue, "No: it isn't your turn.")
            for i, line in enumerate(SIDES):
                await click([red, blue][i % 2], *line)
                await [blue, red][i % 2].wait_for(f"{DRAWN} === {i + 1}")
            await sees(blue, "You are blue. It's your turn.")
            await sees(red, "You are red. blue is to draw.")
            watcher = await red.another(link)
            await sees(watcher, "You watch. blue is to draw.")
            if name == "server":
                await blue.reload()
                await sees(blue, "You are blue. It's your turn.")
                await blue.evaluate("websocket.close()")
                await sees(blue, "The connection is lost. Connecting again…")
                await sees(blue, "You are blue. It's your turn.")
                wrong = await red.another(f"http://localhost:{port}/?game=none")
                await sees(wrong, "Sorry, there is no such game.")

    with started(f"tutorial/{name}.py", port) as server:
        asyncio.run(play(server))


# What the pages show.

DOCS = EXAMPLES.parent / "docs" / "tutorial"

SHOWN = re.compile(
    r"\.\. literalinclude:: (\S+)\n"
    r"    :caption: (\S+)\n    :language: \w+\n"
    r"(?:    :start-at: (.+)\n)?(?:    :emphasize-lines: (\S+)\n)?"
)


def new_lines(name: str, before: str, start: str) -> set[int]:
    """Return the numbers of lines that a step adds; blank ones if all around are."""

    def lines(name: str) -> list[str]:
        text = (TUTORIAL / name).read_text()
        return text[text.index(start) :].splitlines()

    matcher = difflib.SequenceMatcher(None, lines(before), lines(name), autojunk=False)
    same = {
        block.b + i + 1
        for block in matcher.get_matching_blocks()
        for i in range(block.size)
    }
    new, blank = set[int](), set[int]()
    for n, line in enumerate(lines(name), 1):
        if not line.strip():
            blank.add(n)
        elif n not in same:
            new |= {n} | (blank if min(blank, default=n) - 1 in new else set())
            blank.clear()
        else:
            blank.clear()
    return new


def numbers(text: str) -> set[int]:
    """Return the line numbers that a text such as "1,3-5" lists."""
    ranges = [part.split("-") for part in text.split(",")]
    return {n for r in ranges for n in range(int(r[0]), int(r[-1]) + 1)}


@pytest.mark.parametrize(
    "page, before, names",
    [
        ("rules", None, ["boxes.py"]),
        ("page", None, ["step_2.py", "step_2.html"]),
        ("players", "step_2", ["step_3.py", "step_3.html"]),
        ("staying", "step_3", ["server.py", "page.html"]),
    ],
)
def test_pages_show_programs_whole(
    page: str, before: str | None, names: list[str]
) -> None:
    shown = SHOWN.findall((DOCS / f"{page}.rst").read_text())
    assert [name for _, name, *_ in shown] == names
    for path, name, start, emphasized in shown:
        assert path == f"../../example/tutorial/{name}"
        assert start in ("", "import asyncio")
        # Of the servers, little stays: their text says what is new.
        if before is not None and name.endswith(".html"):
            old = before + pathlib.Path(name).suffix
            new = new_lines(name, old, start)
            assert numbers(emphasized) == new, as_text(new)


def as_text(lines: set[int]) -> str:
    """Return line numbers as the pages list them."""
    first = sorted(n for n in lines if n - 1 not in lines)
    last = sorted(n for n in lines if n + 1 not in lines)
    pairs = zip(first, last, strict=True)
    return ",".join(f"{a}-{b}" if a < b else str(a) for a, b in pairs)


def test_the_program_of_the_first_step(capsys: pytest.CaptureFixture[str]) -> None:
    text = (DOCS / "rules.rst").read_text()
    code, printed = (
        textwrap.dedent(block)
        for block in re.findall(r"code-block:: \w+\n\n((?:    .*\n|\n)+)", text)
    )
    sys.path.insert(0, str(TUTORIAL))
    try:
        exec(compile(code, "program", "exec"), {})
    finally:
        sys.path.remove(str(TUTORIAL))
        del sys.modules["boxes"]
    assert capsys.readouterr().out.strip() == printed.strip()
