"""Programs in the documentation run, and print what it says."""

from __future__ import annotations

import pathlib
import re
import socket
import textwrap
from collections.abc import Iterator

import pytest

DOCS = pathlib.Path(__file__).parents[1] / "docs"

BLOCK = re.compile(r"^\.\. code-block:: (\w+)\n\n((?: {4}.*\n|\n)+)", re.MULTILINE)


def programs(page: str) -> Iterator[tuple[str, str]]:
    """Yield each program of a page, with what it says is printed."""
    text = (DOCS / page).read_text(encoding="utf-8") + "\n"
    blocks = [(match[1], textwrap.dedent(match[2])) for match in BLOCK.finditer(text)]
    for (kind, code), (next_kind, output) in zip(
        blocks, [*blocks[1:], ("", "")], strict=True
    ):
        if kind == "python":
            yield code, output.strip() if next_kind == "text" else ""


PROGRAMS = [
    *programs("topics/two-eras.rst"),
    *programs("howto/observability.rst"),
    *programs("howto/uvloop.rst"),
]


def test_there_are_programs() -> None:
    assert len(PROGRAMS) == 10
    assert sum(bool(output) for _, output in PROGRAMS) == 9


@pytest.mark.parametrize("code, output", PROGRAMS)
def test_program(code: str, output: str, capsys: pytest.CaptureFixture[str]) -> None:
    if "werkzeug" in code:
        pytest.importorskip("werkzeug", reason="werkzeug isn't installed")
    with socket.create_server(("localhost", 0)) as sock:
        port = sock.getsockname()[1]
    # As if it were a module of its own.
    exec(
        compile(code.replace("8765", str(port)), "program", "exec", dont_inherit=True),
        {},
    )
    assert capsys.readouterr().out.strip() == output
