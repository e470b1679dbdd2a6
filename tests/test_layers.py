"""The house stands: imports go down, and below floor 4 there is no I/O."""

from __future__ import annotations

import ast
import functools
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

import websockets

ROOT = pathlib.Path(websockets.__file__).parent

FLOORS = {0: "words", 1: "bytes", 2: "rules", 3: "habits", 4: "engine", 5: "faces"}

# What a module of floors 0 to 3 must not use: I/O, waiting, and clocks.
FORBIDDEN = {
    *["asyncio", "concurrent", "multiprocessing", "queue", "sched", "select"],
    *["selectors", "signal", "socket", "socketserver", "ssl", "subprocess"],
    *["threading", "_thread"],
    *["datetime", "time", "timeit"],
}

# The date that HTTP needs.
ALLOWED = {"websockets.dates": {"time"}}

# These aren't in the house: the front door, and addresses of old.
DOOR = "websockets"
ADDRESS = "Import address"


def name_of(path: pathlib.Path) -> str:
    parts = ("websockets", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}


@functools.cache
def parse(name: str) -> ast.Module:
    return ast.parse(PATHS[name].read_text(encoding="utf-8"))


def first_line(name: str) -> str:
    return (ast.get_docstring(parse(name)) or "").partition("\n")[0]


def is_address(name: str) -> bool:
    return first_line(name).startswith(ADDRESS)


def floor_of(name: str) -> int:
    match = re.match(r"Floor (\d), (\w+)", first_line(name))
    assert match is not None, f"{name} doesn't say on which floor it is"
    return int(match[1])


HOUSE = [name for name in PATHS if name != DOOR and not is_address(name)]
LOWER = [name for name in HOUSE if floor_of(name) <= 3]


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk through what is run: all but what only type checkers read."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from (item for part in node.orelse for item in statements(part))
        else:
            yield node
            yield from statements(node)


def imports(name: str) -> set[str]:
    """Return the full names of the modules that a module imports, wherever."""
    package = name if PATHS[name].name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in statements(parse(name)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1]
            start = ".".join(base) if node.level else ""
            module = ".".join(filter(None, [start, node.module]))
            for alias in node.names:
                # "from . import x" may import a module, or a name of one.
                inner = f"{module}.{alias.name}"
                found.add(inner if inner in PATHS else module)
    return found


def ours(name: str) -> set[str]:
    return {item for item in imports(name) if item.partition(".")[0] == "websockets"}


class TestFloors:
    @pytest.mark.parametrize("name", HOUSE)
    def test_module_says_its_floor_and_its_job(self, name: str) -> None:
        line = first_line(name)
        match = re.fullmatch(r"Floor (\d), (\w+)(, and floor 5, .+?)?: (.+)", line)
        assert match is not None, line
        assert FLOORS[int(match[1])] == match[2]
        assert match[4][-1] in ".)"

    @pytest.mark.parametrize("name", HOUSE)
    def test_imports_go_down(self, name: str) -> None:
        for item in ours(name) - {DOOR}:
            assert item in PATHS
            assert not is_address(item), f"{name} imports {item}"
            assert floor_of(item) <= floor_of(name), f"{name} imports {item}"

    def test_front_door_opens_only_two_rooms(self) -> None:
        assert ours(DOOR) == {"websockets.imports", "websockets.version"}

    @pytest.mark.parametrize("name", [name for name in PATHS if is_address(name)])
    def test_addresses_have_nothing_of_their_own(self, name: str) -> None:
        allowed = (ast.Expr, ast.Import, ast.ImportFrom, ast.Assign)
        assert all(isinstance(node, allowed) for node in parse(name).body)

    def test_no_circles(self) -> None:
        waiting = {name: ours(name) & set(HOUSE) - {name} for name in HOUSE}
        # A package's own module only gathers what is in it. And frames asks its
        # reader for one frame when the known shape Frame.parse() is used.
        for name, needed in waiting.items():
            waiting[name] = {item for item in needed if not name.startswith(f"{item}.")}
        waiting["websockets.frames"].remove("websockets.reader")
        while waiting:
            ready = {name for name, needed in waiting.items() if not needed}
            assert ready, f"circle among {sorted(waiting)}"
            waiting = {
                name: needed - ready
                for name, needed in waiting.items()
                if name not in ready
            }


class TestLowerFloors:
    @pytest.mark.parametrize("name", LOWER)
    def test_no_input_no_output_no_clock(self, name: str) -> None:
        used = {item.partition(".")[0] for item in imports(name)}
        assert used & FORBIDDEN == ALLOWED.get(name, set())

    @pytest.mark.parametrize("name", LOWER)
    def test_nothing_is_printed_read_or_awaited(self, name: str) -> None:
        banned = {"open", "print", "input", "exec", "eval", "breakpoint"}
        for node in ast.walk(parse(name)):
            assert not isinstance(node, (ast.AsyncFunctionDef, ast.Await))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in banned

    def test_nothing_needs_a_loop(self) -> None:
        # What they import in turn doesn't bring one in either.
        code = (
            "import importlib, sys\n"
            f"for name in {LOWER!r}:\n"
            "    importlib.import_module(name)\n"
            "assert 'asyncio' not in sys.modules\n"
            "assert 'ssl' not in sys.modules\n"
        )
        subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)

    def test_standard_library_alone(self) -> None:
        for name in PATHS:
            others = {item.partition(".")[0] for item in imports(name)}
            known = sys.stdlib_module_names | {"websockets", "uvloop", "cython"}
            # Imported on use; see the extras in pyproject.toml.
            known |= {"werkzeug"}
            assert others <= known, f"{name} imports {others - known}"


class TestFiles:
    @pytest.mark.parametrize("name", sorted(PATHS))
    def test_annotations_are_not_evaluated(self, name: str) -> None:
        tree = parse(name)
        if len(tree.body) > 1:
            assert isinstance(tree.body[1], ast.ImportFrom)
            assert tree.body[1].module == "__future__"
