"""The compiled and the plain build, as docs/topics/builds.rst describes them."""

from __future__ import annotations

import subprocess
import sys

import pytest

import websockets
from websockets import speedups

PROGRAM = """
try:
    import _interpreters
except ImportError:
    import _xxsubinterpreters

    def run(isolated, code):
        interpreter = _xxsubinterpreters.create(isolated=isolated)
        try:
            _xxsubinterpreters.run_string(interpreter, code)
        except Exception as exc:
            return str(exc)
else:
    def run(isolated, code):
        interpreter = _interpreters.create("isolated" if isolated else "legacy")
        error = _interpreters.exec(interpreter, code)
        return error and error.formatted

code = "import websockets; websockets.connect; websockets.serve"
print(run({isolated}, code), flush=True)
"""


def test_what_is_told() -> None:
    assert websockets.speedups_available is speedups.compiled
    assert speedups.compiled is speedups.__file__.endswith((".so", ".pyd"))


@pytest.mark.skipif(sys.version_info < (3, 12), reason="one interpreter before 3.12")
@pytest.mark.parametrize("isolated", [False, True])
def test_subinterpreters(isolated: bool) -> None:
    program = PROGRAM.replace("{isolated}", str(isolated))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        capture_output=True,
        text=True,
        timeout=50,
    )
    if isolated and speedups.compiled:
        # Python 3.12.1 crashes when it ends after that.
        assert "does not support loading in subinterpreters" in done.stdout
    else:
        assert done.stdout.strip() == "None", done.stderr
