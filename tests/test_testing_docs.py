"""The tests that docs/howto/testing.rst shows pass."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
import textwrap

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "howto" / "testing.rst"

BLOCK = re.compile(
    r"^\.\. code-block:: python\n    :caption: (\S+)\n\n((?: {4}.*\n|\n)+)",
    re.MULTILINE,
)


def test_the_tests_pass(tmp_path: pathlib.Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    blocks = BLOCK.findall(text)
    assert len(blocks) == text.count(".. code-block::")
    for name, code in blocks:
        (tmp_path / name).write_text(textwrap.dedent(code), encoding="utf-8")
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nasyncio_mode = auto\nfilterwarnings = error\n"
        "asyncio_default_fixture_loop_scope = function\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    number = sum(code.count("async def test_") for _, code in blocks)
    assert f"{number} passed" in done.stdout
