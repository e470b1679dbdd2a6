"""Virtual environments, one per peer, and the load generator: make them, know them.

They live in ``.envs`` and are kept. An environment is made anew when what it should
hold changes; for ours, that is any change of the source.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contenders import ENVIRONMENTS, ROOT, Environment

HERE = Path(__file__).resolve().parent
ENVS = HERE / ".envs"
LOADGEN = ENVS / "loadgen"
LOAD = HERE / "load"

#: What the load generator is built with where it is there: the header, a call, the
#: libraries, and the package that has them on Debian.
FEATURES = {
    "deflate": ("zlib.h", "zlibVersion()", ["-lz"], "zlib1g-dev"),
    "tls": ("openssl/ssl.h", "TLS_method()", ["-lssl", "-lcrypto"], "libssl-dev"),
}

#: What ours is built from; tests and documentation play no part in it.
PACKAGE_FILES = ["pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"]

#: Build output, which must not get into an environment that builds for itself.
BUILT = {".so", ".pyd", ".pyc", ".o"}

#: Run in an environment: the versions in it, and which of our modules are compiled.
DESCRIBE = """
import importlib.metadata as metadata, json, pathlib, platform
versions = {each.name: each.version for each in metadata.distributions()}
files = metadata.files("websockets") if "websockets" in versions else None
compiled = sorted(f.name.split(".")[0] for f in files or () if f.suffix == ".so")
print(json.dumps({
    "python": platform.python_version(), "versions": versions, "compiled": compiled,
}))
"""


class SetupError(Exception):
    """An environment or the load generator could not be made."""


def clean_variables(extra: dict[str, str]) -> dict[str, str]:
    """Return environment variables for a child: no PYTHON... ones, and these."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return {**kept, **extra}


def call(command: list[str], variables: dict[str, str]) -> str:
    """Run a command and return what it prints.

    Raises:
        SetupError: if it fails, with the end of what it said.

    """
    try:
        done = subprocess.run(command, env=variables, capture_output=True, text=True)
    except FileNotFoundError as exc:
        raise SetupError(f"{command[0]} is missing") from exc
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:])
        raise SetupError(f"{' '.join(command)} failed:\n{said}")
    return done.stdout


def find_source_files() -> Iterator[Path]:
    """Yield the files that ours is built from, relative to the repository."""
    yield from (Path(name) for name in PACKAGE_FILES if (ROOT / name).exists())
    for path in sorted((ROOT / "src" / "websockets").rglob("*")):
        if path.is_file() and path.suffix not in BUILT:
            yield path.relative_to(ROOT)


@functools.cache
def take_snapshot() -> Path:
    """Copy what ours is built from, once: all environments get the same source.

    Nothing is ever built in the repository itself.
    """
    directory = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    for path in find_source_files():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, target)
    return directory


@functools.cache
def fingerprint() -> str:
    """Return a hash of the snapshot: of the files' names and content."""
    directory = take_snapshot()
    digest = hashlib.sha256()
    for path in sorted(filter(Path.is_file, directory.rglob("*"))):
        content = path.read_bytes()
        name = path.relative_to(directory)
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def make_stamp(environment: Environment) -> str:
    """Return a text that changes when the environment must be made anew."""
    parts: dict[str, Any] = {"python": sys.version, **environment._asdict()}
    if environment.ours is not None:
        parts["source"] = fingerprint()
    return json.dumps(parts, sort_keys=True)


def install_ours(python: Path, environment: Environment) -> None:
    """Install this repository from a copy of the snapshot: building leaves traces."""
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "source"
        shutil.copytree(take_snapshot(), copy)
        requirement = f"{copy}{environment.ours or ''}"
        pip_install(python, [requirement], environment.variables)


def pip_install(
    python: Path, requirements: list[str], variables: dict[str, str]
) -> None:
    """Install the newest versions of these."""
    command = [str(python), "-m", "pip", "install", "--quiet", "--upgrade"]
    call([*command, *requirements], clean_variables(variables))


def prepare_environment(name: str, fresh: bool = False, as_is: bool = False) -> Path:
    """Make an environment if need be, and return its interpreter.

    Args:
        name: a key of :data:`peers.ENVIRONMENTS`.
        fresh: make it anew in any case, to get the newest versions.
        as_is: make it in no case.

    Raises:
        SetupError: if that fails.

    """
    environment = ENVIRONMENTS[name]
    directory = ENVS / name
    python = directory / "bin" / "python"
    stamp = directory / "stamp.json"
    wanted = make_stamp(environment)
    if as_is and not stamp.exists():
        raise SetupError("it was never made")
    if as_is or (not fresh and stamp.exists() and stamp.read_text() == wanted):
        return python
    print(f"setting up {directory.relative_to(ROOT)} ...", file=sys.stderr)
    shutil.rmtree(directory, ignore_errors=True)
    call([sys.executable, "-m", "venv", str(directory)], clean_variables({}))
    pip_install(python, list(environment.requirements), environment.variables)
    if environment.ours is not None:
        install_ours(python, environment)
    stamp.write_text(wanted)
    return python


def describe_environment(name: str, python: Path | None = None) -> dict[str, Any]:
    """Return versions and compiled modules of an environment that exists.

    Args:
        name: a key of :data:`peers.ENVIRONMENTS`.
        python: the interpreter used instead of it, if it is one of ours.

    """
    if python is None or not name.startswith("ours"):
        python = ENVS / name / "bin" / "python"
    described: dict[str, Any] = json.loads(
        call([str(python), "-c", DESCRIBE], clean_variables({}))
    )
    return described


def find_features(compiler: list[str]) -> list[str]:
    """Return those of :data:`FEATURES` that this compiler can build."""
    found = []
    for name, (header, call_, libraries, _) in FEATURES.items():
        text = f"#include <{header}>\nint main(void) {{ return {call_} == 0; }}\n"
        command = [*compiler, "-x", "c", "-", "-o", os.devnull, *libraries]
        done = subprocess.run(command, input=text, capture_output=True, text=True)
        if done.returncode == 0:
            found.append(name)
    return found


def compile_loadgen(target: Path) -> None:
    """Compile the load generator, with all features that can be had.

    Raises:
        SetupError: if there is no C compiler, or it complains.

    """
    compiler = os.environ.get("CC", "cc").split()
    if shutil.which(compiler[0]) is None:
        raise SetupError(f"{compiler[0]} is missing: the load generator is in C")
    flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror"]
    libraries = []
    for name in find_features(compiler):
        flags.append(f"-DWITH_{name.upper()}")
        libraries += FEATURES[name][2]
    sources = sorted(map(str, LOAD.glob("*.c")))
    command = [*compiler, *flags, "-o", str(target), *sources, *libraries]
    call(command, dict(os.environ))


def build_loadgen(target: Path = LOADGEN) -> Path:
    """Compile the load generator if its source is newer; return the program.

    Raises:
        SetupError: if there is no C compiler, or it complains.

    """
    newest = max(path.stat().st_mtime for path in LOAD.iterdir())
    if not target.exists() or target.stat().st_mtime <= newest:
        target.parent.mkdir(exist_ok=True)
        compile_loadgen(target)
    return target


def read_features(loadgen: Path) -> set[str]:
    """Return which of :data:`FEATURES` the load generator has."""
    return set(call([str(loadgen), "--features"], dict(os.environ)).split()) - {"-"}
