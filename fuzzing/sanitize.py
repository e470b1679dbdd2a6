"""The compiled build under AddressSanitizer and UndefinedBehaviorSanitizer.

``python fuzzing/run.py --sanitize``: builds a copy of the tree with both sanitizers,
makes sure that they would report something, runs the tests that go through compiled
code, and has the targets work on changed inputs for a while. Needs Linux and gcc.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.append(str(ROOT / "compliance"))

import venvs  # noqa: E402

FLAGS = ("-O0", "-g1", "-fno-omit-frame-pointer", "-fsanitize=address,undefined")

#: What ``setup.py`` compiles with otherwise.
_USUAL = '"-O3", "-g0"'

TESTS = (
    "test_reader.py",
    "test_reader_room.py",
    "test_protocol.py",
    "test_protocol_rules.py",
    "test_speedups.py",
    "test_frames.py",
    "test_permessage_deflate.py",
    "test_permessage_deflate_properties.py",
    "test_vectors.py",
    "test_session_session.py",
    "test_session_inbox.py",
    "test_asyncio_engine.py",
    "test_asyncio_waiters.py",
    "test_stateful.py",
    "test_fuzzing.py",
    "faces/test_messages.py",
)

# Errors that both must notice; the argument says which.
_CONTROL = """
int overrun(int i) { char *p = __builtin_malloc(4); p[0] = 1; return p[i]; }
int overflow(int i) { return i + 2147483647; }
"""
_REPORTS = {"overrun": "heap-buffer-overflow", "overflow": "signed integer overflow"}


def main(seconds: int) -> int:
    """Build, run, and say what was found; return how much that is."""
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "copy"
        ignored = shutil.ignore_patterns(".*", "build", "node_modules", "*.egg-info")
        shutil.copytree(ROOT, copy, ignore=ignored)
        python = build(copy)
        check_control(python, Path(directory))
        tests = [f"tests/{name}" for name in TESTS]
        venvs.say("running tests under the sanitizers")
        options = ["-q", "-p", "no:randomly", "--timeout=600"]
        failures = run(python, copy, "tests", ["-m", "pytest", *options, *tests])
        venvs.say(f"trying changed inputs for {seconds} s each")
        words = ["fuzzing/mutate.py", "--seconds", str(seconds)]
        failures += run(python, copy, "changed inputs", words)
    print(f"sanitizers: {failures} reports or failures")
    return failures


def build(copy: Path) -> Path:
    """Build the copy with sanitizers, and install it; return the Python."""
    setup = copy / "setup.py"
    text = setup.read_text(encoding="utf-8")
    if _USUAL not in text:
        raise venvs.SetupError("setup.py has other flags than expected")
    flags = ", ".join(f'"{flag}"' for flag in FLAGS)
    setup.write_text(text.replace(_USUAL, flags), encoding="utf-8")
    # All at once: waiting for compilers is most of the time that this takes.
    (copy / "setup.cfg").write_text("[build_ext]\nparallel = 6\n", encoding="utf-8")
    project = tomllib.loads((copy / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["build-system"]["requires"]
    packages += project["project"]["optional-dependencies"]["test"]
    packages += ["isal", "zlib-ng"]
    python = venvs.make_environment("sanitize", packages, fresh=False)
    venvs.say("building with sanitizers")
    install = ["install", "--no-build-isolation", "--no-deps", "--force-reinstall"]
    venvs.pip(
        python, *install, copy, WEBSOCKETS_SPEEDUPS="1", LDFLAGS=FLAGS[-1], CC="gcc"
    )
    return python


def make_variables() -> dict[str, str]:
    """Return environment variables that have the sanitizers work."""
    libraries = [
        subprocess.run(
            ["gcc", f"-print-file-name={name}"], capture_output=True, text=True
        ).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    return venvs.clean_variables(
        LD_PRELOAD=":".join(libraries),
        # Python's own allocator would hide what is read behind an object's end.
        PYTHONMALLOC="malloc",
        ASAN_OPTIONS="detect_leaks=0:halt_on_error=1",
        UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1",
    )


def check_control(python: Path, directory: Path) -> None:
    """Make sure that the sanitizers report what is wrong."""
    (directory / "control.c").write_text(_CONTROL, encoding="utf-8")
    library = directory / "control.so"
    venvs.call(
        "gcc", *FLAGS, "-shared", "-fPIC", directory / "control.c", "-o", library
    )
    for name, report in _REPORTS.items():
        program = f"import ctypes; ctypes.CDLL({str(library)!r}).{name}(4)"
        done = subprocess.run(
            [python, "-c", program],
            env=make_variables(),
            capture_output=True,
            text=True,
        )
        if done.returncode == 0 or report not in done.stderr:
            raise venvs.SetupError(f"the sanitizers don't notice an {name}")
        print(f"control: {report} is reported")


def run(python: Path, copy: Path, what: str, words: Sequence[str]) -> int:
    """Run something under the sanitizers; print how it ended, and say if badly."""
    done = subprocess.run(
        [python, *words],
        cwd=copy,
        env=make_variables(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    reports = re.findall(r"ERROR: AddressSanitizer.*|.*runtime error:.*", done.stdout)
    print(f"{what}:", *done.stdout.strip().splitlines()[-1:])
    if done.returncode or reports:
        print(done.stdout[-6000:])
    return len(reports) + (done.returncode != 0)
