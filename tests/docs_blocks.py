"""What blocks of code the documentation has, and where."""

from __future__ import annotations

import pathlib
import re
import textwrap
from collections.abc import Iterator
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parents[1]

DOCS = ROOT / "docs"

#: Directories outside of docs/ whose pages count.
OTHERS = (".", "benchmarks", "compliance", "example", "fuzzing", "tests/certificates")

_DIRECTIVE = re.compile(r"( *)\.\. (?:code-block|code|sourcecode):: ?(\S*)$")
_OPTION = re.compile(r" *:[\w-]+:")
_FENCE = re.compile(r"( *)```(\S*)")


class Block(NamedTuple):
    """
    A block of code.

    Attributes:
        page: the file, as a path from the root of the repository.
        number: which block of the page it is, from 1 on.
        line: where it begins.
        kind: its language; "" if it says none.
        code: what it has.
        output: what it prints, if a block of text that follows at once says so.

    """

    page: str
    number: int
    line: int
    kind: str
    code: str
    output: str | None

    @property
    def name(self) -> str:
        """Return how tables and reports call it."""
        return f"{self.page}:{self.number}"


def pages() -> list[pathlib.Path]:
    """Return all pages, whatever their markup."""
    found = [*DOCS.rglob("*.rst"), *DOCS.rglob("*.md")]
    found += [page for folder in OTHERS for page in (ROOT / folder).glob("*.md")]
    return sorted(page for page in found if "_build" not in page.parts)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _indented(lines: list[str], start: int, indent: int) -> tuple[str, int]:
    """Return what is indented by more from a line on, and where that ends."""
    end = start
    while end < len(lines) and (not lines[end].strip() or _indent(lines[end]) > indent):
        end += 1
    return textwrap.dedent("\n".join(lines[start:end])).strip("\n") + "\n", end


def _rst(lines: list[str]) -> Iterator[tuple[int, str, str]]:
    """Yield line, language and code of the blocks of reStructuredText."""
    n = 0
    while n < len(lines):
        line = lines[n]
        n += 1
        if match := _DIRECTIVE.match(line):
            while n < len(lines) and _OPTION.match(lines[n]):
                n += 1
            code, n = _indented(lines, n, len(match[1]))
            yield n, match[2], code
        elif line.endswith("::") and not line.lstrip().startswith(".. "):
            code, n = _indented(lines, n, _indent(line))
            yield n, "", code


def _markdown(lines: list[str]) -> Iterator[tuple[int, str, str]]:
    """Yield line, language and code of the blocks of Markdown."""
    n = 0
    while n < len(lines):
        line = lines[n]
        n += 1
        if match := _FENCE.match(line):
            start = n
            while lines[n].strip() != "```":
                n += 1
            if not match[2].startswith("{"):
                yield start, match[2], "\n".join(lines[start:n]) + "\n"
            n += 1
        elif line.startswith("    ") and not lines[n - 2].strip():
            code, n = _indented(lines, n - 1, 3)
            yield n, "", code


def blocks(page: pathlib.Path) -> list[Block]:
    """Return all blocks of a page."""
    lines = page.read_text(encoding="utf-8").splitlines()
    find = _rst if page.suffix == ".rst" else _markdown
    name = page.relative_to(ROOT).as_posix()
    found = list(find(lines))
    return [
        Block(name, number, line, kind, code, text if following == "text" else None)
        for number, ((line, kind, code), (_, following, text)) in enumerate(
            zip(found, [*found, (0, "", "")][1:], strict=True), 1
        )
    ]


def rst_blocks(text: str) -> list[tuple[int, str, str]]:
    """Return line, language and code of blocks in a text."""
    return list(_rst(text.splitlines()))


def all_blocks() -> list[Block]:
    """Return all blocks of all pages."""
    return [block for page in pages() for block in blocks(page)]
