"""Virtual environments, and what is put into them.

Everything is made under ``.envs``, which can be deleted at any time. Standard
library only.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
ENVS = HERE / ".envs"

#: What our wheel is built from, besides ``src``.
PACKAGE_FILES = ["pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"]

#: Build output, which must not get into a build.
BUILT = {".so", ".pyd", ".pyc", ".o", ".c"}

#: The two builds of ours, and how ``setup.py`` is told.
BUILDS = {"pure": "0", "compiled": "1"}

#: Run in an environment: tells which ``websockets`` it has, and how it was built.
DESCRIBE = """
import importlib.metadata as metadata
found = metadata.distribution("websockets")
extensions = sum(f.suffix in (".so", ".pyd") for f in found.files)
print(found.version, "with %d compiled modules" % extensions)
"""


class SetupError(Exception):
    """An environment, or something that goes into it, could not be made."""


def clean_variables(**extra: str) -> dict[str, str]:
    """Return environment variables for a child: no PYTHON... ones, and these."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return {**kept, **extra}


def call(*command: str | Path, **variables: str) -> str:
    """Run a command and return what it prints.

    Raises:
        SetupError: if it fails, with the end of what it said.

    """
    words = list(map(str, command))
    try:
        done = subprocess.run(
            words,
            env=clean_variables(**variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
    except FileNotFoundError as exc:
        raise SetupError(f"{words[0]} is missing") from exc
    if done.returncode != 0:
        said = "\n".join(done.stdout.strip().splitlines()[-12:])
        raise SetupError(f"{' '.join(words)} failed:\n{said}")
    return done.stdout


def pip(python: Path, *arguments: str | Path, **variables: str) -> str:
    """Run an environment's pip."""
    return call(python, "-m", "pip", "--quiet", *arguments, **variables)


def make_environment(name: str, requirements: Sequence[str], fresh: bool) -> Path:
    """Make an environment if need be, and return its interpreter.

    Args:
        name: the directory below ``.envs``.
        requirements: what pip installs there; the newest versions that fit.
        fresh: make it anew in any case, to get versions that came out since.

    Raises:
        SetupError: if that fails.

    """
    directory = ENVS / name
    python = directory / "bin" / "python"
    stamp = directory / "stamp.json"
    wanted = json.dumps({"python": sys.version, "requirements": list(requirements)})
    if not fresh and stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    say(f"setting up {directory.relative_to(ROOT)}")
    shutil.rmtree(directory, ignore_errors=True)
    call(sys.executable, "-m", "venv", directory)
    pip(python, "install", "--upgrade", *requirements)
    stamp.write_text(wanted, encoding="utf-8")
    return python


def say(text: str) -> None:
    """Tell the user what is going on."""
    print(f"... {text}", file=sys.stderr, flush=True)


def describe(python: Path) -> str:
    """Tell which ``websockets`` an environment has, and how it was built."""
    return call(python, "-c", DESCRIBE).strip()


# Ours, as a wheel.


def find_source_files(root: Path) -> Iterator[Path]:
    """Yield the files that our wheel is built from, relative to the repository."""
    yield from (Path(name) for name in PACKAGE_FILES if (root / name).exists())
    for path in sorted((root / "src" / "websockets").rglob("*")):
        if path.is_file() and path.suffix not in BUILT:
            yield path.relative_to(root)


def fingerprint(root: Path) -> str:
    """Return a hash of what our wheel is built from."""
    digest = hashlib.sha256(sys.version.encode())
    for path in find_source_files(root):
        content = (root / path).read_bytes()
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def build_wheel(build: str, root: Path = ROOT) -> Path:
    """Build our wheel from a copy of the source, if it has changed; return it.

    Args:
        build: ``pure`` or ``compiled``.
        root: the repository.

    Raises:
        SetupError: if that fails.

    """
    directory = ENVS / "wheels" / f"{build}-{fingerprint(root)}"
    if not list(directory.glob("*.whl")):
        say(f"building the {build} wheel of {root}")
        with tempfile.TemporaryDirectory() as copy:
            for path in find_source_files(root):
                target = Path(copy) / path
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(root / path, target)
            arguments = ["wheel", "--no-deps", "--wheel-dir", directory, copy]
            pip(Path(sys.executable), *arguments, WEBSOCKETS_SPEEDUPS=BUILDS[build])
    return next(directory.glob("*.whl"))


def install_ours(python: Path, build: str, root: Path = ROOT) -> None:
    """Install a repository's package in place of any other ``websockets``."""
    arguments = ["--force-reinstall", "--no-deps", "--no-index"]
    pip(python, "install", *arguments, build_wheel(build, root))


# Other projects' sources, for the tests in them.


def fetch_source(requirement: str, fresh: bool) -> Path:
    """Fetch and unpack a project's source distribution; return its directory.

    Args:
        requirement: a name, or ``name==version``.
        fresh: ask for the newest one again, even if there is one here.

    Raises:
        SetupError: if there is none, or more in it than one directory.

    """
    directory = ENVS / "sources" / requirement
    if fresh:
        shutil.rmtree(directory, ignore_errors=True)
    if not directory.exists():
        say(f"fetching the source of {requirement}")
        unpack(requirement, directory)
    found = [path for path in directory.iterdir() if path.is_dir()]
    if len(found) != 1:
        raise SetupError(f"{directory} should contain one directory, not {found}")
    return found[0]


def unpack(requirement: str, directory: Path) -> None:
    """Download a source distribution, and unpack it there."""
    name = requirement.partition("==")[0]
    with tempfile.TemporaryDirectory() as download:
        arguments = ["--no-deps", "--no-binary", name, "--dest", download]
        pip(Path(sys.executable), "download", *arguments, requirement)
        (archive,) = Path(download).iterdir()
        with tarfile.open(archive) as opened:
            opened.extractall(directory, filter="data")
