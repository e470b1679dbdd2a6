"""Build what users install, and try it as they would: ``python3 dev.py package``.

1. Build the sdist twice, and from it the wheel, out of copies of what git tracks and
   with SOURCE_DATE_EPOCH set: both sdists must be the same, byte by byte. With
   ``--twice``, the wheel is made twice and compared as well.
2. ``twine check`` reads their metadata; what is in them is compared with the source.
3. The wheel goes into an empty environment, and the sdist into another one, as plain
   Python: ``pip check``, the command line, and the tests, which come out of the sdist.

Needs build and twine. Without a C compiler, the wheel is plain Python too.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]

# Where there's no git to ask: when RFC 6455 was published.
SOME_DATE = "1323648000"


class Failed(Exception):
    """Something doesn't hold; the text says what."""


class Candidate(NamedTuple):
    """
    Something that users may install.

    Attributes:
        name: what it is.
        path: where it is.
        speedups: what ``WEBSOCKETS_SPEEDUPS`` is set to while it's installed.
        build: which build it must be, as ``--version`` has it.

    """

    name: str
    path: Path
    speedups: str
    build: str


def main() -> int | str:
    """Do what the first lines say; return the exit status, or what failed."""
    options = parse_arguments()
    with tempfile.TemporaryDirectory() as directory:
        here = Path(directory)
        try:
            sdist, wheel = build(here, options.twice)
            check_metadata(sdist, wheel)
            check_content(sdist, wheel, is_compiled(wheel))
            for candidate in candidates(sdist, wheel):
                install_and_try(candidate, here, sdist, options)
            if options.out is not None:
                keep(options.out, sdist, wheel)
        except Failed as exc:
            return f"package: {exc}"
    return 0


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--tests",
        choices=["both", "wheel", "sdist", "none"],
        default="both",
        help="which one to run the tests on; both are installed in any case",
    )
    parser.add_argument(
        "--twice", action="store_true", help="build the wheel twice, and compare"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where to put the sdist and the wheel"
    )
    parser.add_argument("pytest", nargs="*", help="arguments for pytest, after --")
    return parser.parse_args()


# Running things.


@contextmanager
def step(title: str) -> Iterator[None]:
    """Tell how long something took."""
    started = time.monotonic()
    yield
    print(f"{time.monotonic() - started:7.1f} s  {title}", flush=True)


def run(*words: object, cwd: Path = ROOT, **variables: str) -> str:
    """
    Run a program that must succeed; return what it printed.

    Raises:
        Failed: if it doesn't.

    """
    done = subprocess.run(
        list(map(str, words)),
        cwd=cwd,
        env={**clean_environment(), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        raise Failed(f"this failed: {' '.join(map(str, words))}")
    return done.stdout


def clean_environment() -> dict[str, str]:
    """Return the environment, without what leads Python or a build elsewhere."""
    unwanted = {"PYTHONPATH", "VIRTUAL_ENV", "WEBSOCKETS_SPEEDUPS"}
    return {name: value for name, value in os.environ.items() if name not in unwanted}


# Building.


def build(here: Path, wheel_twice: bool) -> tuple[Path, Path]:
    """Build twice, and compare; return the sdist and the wheel."""
    date = date_of_source()
    again = [] if wheel_twice else ["--sdist"]
    for number, what in ("1", []), ("2", again):
        source = copy_source(here / f"source-{number}")
        with step(f"build {number}: {'sdist' if what else 'sdist and wheel'}"):
            words = [sys.executable, "-m", "build", "--outdir", here / number]
            run(*words, *what, source, SOURCE_DATE_EPOCH=date)
    for path in (here / "2").iterdir():
        digest, other = digest_of(here / "1" / path.name), digest_of(path)
        print(f"           {path.name}: {path.stat().st_size:,} bytes, {digest[:16]}")
        if digest != other:
            raise Failed(f"two builds of {path.name} differ: {digest}, {other}")
    (sdist,) = (here / "1").glob("*.tar.gz")
    (wheel,) = (here / "1").glob("*.whl")
    return sdist, wheel


def date_of_source() -> str:
    """Return when the source was committed."""
    given = os.environ.get("SOURCE_DATE_EPOCH")
    if given or not (ROOT / ".git").exists():
        return given or SOME_DATE
    return run("git", "log", "-1", "--format=%ct").strip()


def copy_source(target: Path) -> Path:
    """Copy what git tracks, as it is now: nothing that earlier builds left."""
    if (ROOT / ".git").exists():
        names = [name for name in run("git", "ls-files", "-z").split("\0") if name]
    else:
        found = (path for path in ROOT.rglob("*") if path.is_file())
        names = [str(path.relative_to(ROOT)) for path in found]
    for name in names:
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    return target


def digest_of(path: Path) -> str:
    """Return a digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def is_compiled(wheel: Path) -> bool:
    """Tell which build a wheel has."""
    return not wheel.name.endswith("-any.whl")


# What is in them.


def check_metadata(*paths: Path) -> None:
    """Have twine read the metadata."""
    with step("twine check --strict"):
        run(sys.executable, "-m", "twine", "check", "--strict", *paths)


def check_content(sdist: Path, wheel: Path, compiled: bool) -> None:
    """Compare what is in sdist and wheel with the source."""
    package = ROOT / "src" / "websockets"
    wanted = {
        "websockets/" + path.relative_to(package).as_posix()
        for path in package.rglob("*")
        if path.suffix in {".py", ".html"} or path.name == "py.typed"
    }
    with zipfile.ZipFile(wheel) as zipped, tarfile.open(sdist) as tar:
        inside = {name for name in zipped.namelist() if name.startswith("websockets/")}
        packed = {name.partition("/")[2] for name in tar.getnames()}
    binaries = {name for name in inside if name.endswith((".so", ".pyd"))}
    if missing := wanted - inside | {f"src/{name}" for name in wanted} - packed:
        raise Failed(f"missing: {', '.join(sorted(missing))}")
    if odd := {name for name in inside - wanted - binaries if "." in name}:
        raise Failed(f"doesn't belong into a wheel: {', '.join(sorted(odd))}")
    if bool(binaries) != compiled:
        raise Failed(f"{wheel.name} has {len(binaries)} binaries")
    text = f"{len(wanted)} files and {len(binaries)} binaries"
    print(f"           the wheel has {text}, the sdist {len(packed)} files")


# Trying them.


def candidates(sdist: Path, wheel: Path) -> list[Candidate]:
    """Return what to install."""
    build = "compiled" if is_compiled(wheel) else "plain Python"
    return [
        Candidate("wheel", wheel, "1", build),
        Candidate("sdist", sdist, "0", "plain Python"),
    ]


def install_and_try(
    candidate: Candidate, here: Path, sdist: Path, options: argparse.Namespace
) -> None:
    """Install into an empty environment, and see that everything works."""
    venv = here / f"venv-{candidate.name}"
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    with step(f"{candidate.name}: into an empty environment"):
        run(sys.executable, "-m", "venv", venv)
        install(python, candidate, "")
    check_version(python, candidate, here)
    if options.tests not in (candidate.name, "both"):
        return
    with step(f"{candidate.name}: what the tests need"):
        install(python, candidate, "[test,peers]")
    with step(f"{candidate.name}: the tests"):
        tests = unpack(sdist, here / f"tests-{candidate.name}")
        words = [python, "-m", "pytest", "-q", *options.pytest]
        lines = run(*words, cwd=tests).splitlines()
    print(f"           {lines[-1]}")


def install(python: Path, candidate: Candidate, extras: str) -> None:
    """Install it, and see that pip agrees with what is there then."""
    pip = [python, "-m", "pip"]
    wanted = f"{candidate.path}{extras}"
    run(*pip, "install", "-q", wanted, WEBSOCKETS_SPEEDUPS=candidate.speedups)
    run(*pip, "check")


def check_version(python: Path, candidate: Candidate, here: Path) -> None:
    """Have the command line tell what it is, and compare."""
    text = run(python, "-m", "websockets", "--version", cwd=here)
    first, *rest = [" ".join(line.split()) for line in text.splitlines()]
    print(f"           {first}, {', '.join(rest)}")
    if f"build: {candidate.build}" not in rest:
        raise Failed(f"the {candidate.name} isn't {candidate.build}")
    if first.partition(" ")[2] not in candidate.path.name:
        raise Failed(f"{candidate.path.name} says that it is {first}")


def unpack(sdist: Path, target: Path) -> Path:
    """Unpack an sdist, but for the package: the installed one is to be tested."""
    with tarfile.open(sdist) as archive:
        archive.extractall(target, filter="data")
    (unpacked,) = target.iterdir()
    shutil.rmtree(unpacked / "src")
    # Peers that "dev.py peers" has installed serve here too.
    peers = Path("tests", "peers", "node_modules")
    if (ROOT / peers).is_dir():
        (unpacked / peers).symlink_to(ROOT / peers, target_is_directory=True)
    return unpacked


def keep(directory: Path, *paths: Path) -> None:
    """Copy what was built to where the user wants it."""
    directory.mkdir(parents=True, exist_ok=True)
    for path in paths:
        shutil.copy(path, directory)


if __name__ == "__main__":
    sys.exit(main())
