"""The Python environments that local jobs run in, built once and kept.

An environment holds the libraries of one container image (a lock file with hashes) for one interpreter. A derived
environment adds the packages of one ``requirements.txt``: it sees the image's packages behind its own, which is the
result of ``pip install -r`` in the container. Both are kept in ``${XDG_CACHE_HOME:-~/.cache}/localmaker/environments``,
named by a hash of their content. A marker, written last, shows that an environment is complete; a file lock admits one
builder at a time.

``python -m localmaker.images.environments`` prepares the environment of the default image.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from localmaker.errors import LocalmakerError
from localmaker.images.table import DEFAULT_IMAGE, ImageMapping, find_image

Report = Callable[[str], None]

_MARKER = "complete.json"
_LAYOUT = "2"
_PROBE = "import json,sys;print(json.dumps([sys.executable,sys.base_prefix,'%d.%d.%d' % sys.version_info[:3]]))"


class EnvironmentBuildError(LocalmakerError):
    """An environment could not be built; the message ends with the installer's last lines."""


@dataclass(frozen=True)
class Interpreter:
    """A Python outside any virtual environment."""

    executable: Path
    prefix: Path
    version: str


@dataclass(frozen=True)
class JobEnvironment:
    """An environment ready for use.

    Attributes:
        prefix: its directory.
        interpreter: the Python that it was made with.
        variables: variables that its image sets.
        base: the environment whose packages a derived one sees.
    """

    prefix: Path
    interpreter: Interpreter
    variables: Mapping[str, str] = field(default_factory=dict)
    base: JobEnvironment | None = None

    @property
    def python(self) -> Path:
        """Return the interpreter that jobs run."""
        return self.prefix / "bin" / "python3"

    @property
    def site_packages(self) -> Path:
        """Return the directory of its own packages."""
        return self.prefix / "lib" / f"python{'.'.join(self.interpreter.version.split('.')[:2])}" / "site-packages"

    @property
    def prefixes(self) -> Sequence[Path]:
        """Return this environment's directory and those of the environments that it sees, nearest first."""
        return (self.prefix, *(self.base.prefixes if self.base else ()))


def cache_root() -> Path:
    """Return the directory of environments with links resolved, since a job's sandbox hides the home directory."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return (cache / "localmaker" / "environments").resolve()


def image_environment(image: ImageMapping, report: Report = lambda _line: None) -> JobEnvironment:
    """Return the environment of an image; build it if it does not exist.

    Args:
        image: entry of the table of images.
        report: receives a line at the start and at the end of a build.

    Raises:
        EnvironmentBuildError: the lock file cannot be installed.
    """
    interpreter = find_interpreter(image.python)
    if not interpreter.version.startswith(f"{image.python}."):
        _note_once(
            f"jobs run on Python {interpreter.version}; the image has {image.python}, which is not installed here"
        )
    locks = [_read(file) for file in (image.lock, image.source) if file is not None]
    key = _key(_LAYOUT, str(interpreter.executable), interpreter.version, *locks)
    prefix = cache_root() / f"{image.lock.stem}-{key}"
    environment = JobEnvironment(prefix, interpreter, image.environment)

    def build() -> None:
        report(f"building the environment of {image.lock.stem} in {prefix} (once, about half a minute)")
        _create(environment)
        _install(environment, ["--require-hashes", "-r", str(image.lock)])
        if image.source is not None:
            # Build with what is installed: an isolated build would fetch a setuptools without a hash.
            options = ["--require-hashes", "--no-deps", "--no-build-isolation"]
            _install(environment, [*options, "-r", str(image.source)])
        # Jobs cannot store compiled modules (their changes vanish), so compile now; test suites are never imported.
        _run([str(environment.python), "-m", "compileall", "-q", "-j", "0", "-x", "/tests?/", str(environment.prefix)])
        report(f"built {prefix.name}")

    _build_once(prefix, build)
    return environment


def derived_environment(base: JobEnvironment, requirements: str, report: Report = lambda _line: None) -> JobEnvironment:
    """Return an environment with the packages of a requirements file added; build it if it does not exist.

    Args:
        base: the image's environment.
        requirements: content of the file, which must not refer to other files.
        report: receives a line at the start and at the end of a build.

    Raises:
        EnvironmentBuildError: a package cannot be installed.
    """
    prefix = base.prefix.with_name(f"{base.prefix.name}-with-{_key(requirements)}")
    environment = JobEnvironment(prefix, base.interpreter, base.variables, base)

    def build() -> None:
        report("installing requirements.txt (once for this content)")
        _create(environment)
        (environment.site_packages / "image.pth").write_text(f"{base.site_packages}\n")
        for name in ("pip", "pip3"):
            script = prefix / "bin" / name
            script.write_text(f'#!/bin/sh\nexec "{environment.python}" -m pip "$@"\n')
            script.chmod(0o755)
        file = prefix / "requirements.txt"
        file.write_text(requirements)
        # pip and not uv: it takes the image's packages as installed and adds only what they do not satisfy.
        _run([str(environment.python), "-m", "pip", "install", "--quiet", "--no-input", "-r", str(file)])
        report("installed requirements.txt")

    _build_once(prefix, build)
    return environment


def is_self_contained(requirements: str) -> bool:
    """Return whether a requirements file names packages only: no other file, no local project."""
    lines = (line.strip() for line in requirements.splitlines())
    outside = ("-r", "-c", "-e", "--requirement", "--constraint", "--editable", "--find-links", "-f", ".", "/", "file:")
    return not any(line.startswith(outside) or " @ file:" in line for line in lines)


@functools.cache
def find_interpreter(version: str) -> Interpreter:
    """Find the interpreter for an image's Python version: this one if it fits, else one on ``PATH``, else this one."""
    own = _probe(getattr(sys, "_base_executable", None) or sys.executable)
    if own is None:
        raise EnvironmentBuildError(f"{sys.executable} does not run as a program")
    if own.version.startswith(f"{version}."):
        return own
    found = shutil.which(f"python{version}")
    other = _probe(found) if found else None
    return other if other is not None and other.version.startswith(f"{version}.") else own


def _probe(executable: str) -> Interpreter | None:
    try:
        answer = subprocess.run(
            [executable, "-I", "-c", _PROBE], capture_output=True, text=True, timeout=30, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    path, prefix, version = json.loads(answer)
    return Interpreter(Path(path).resolve(), Path(prefix).resolve(), version)


def _read(lock: Path) -> bytes:
    try:
        return lock.read_bytes()
    except OSError as error:
        raise EnvironmentBuildError(f"{lock}: {error.strerror}") from error


def _create(environment: JobEnvironment) -> None:
    _run([str(environment.interpreter.executable), "-m", "venv", "--without-pip", str(environment.prefix)])


def _install(environment: JobEnvironment, arguments: Sequence[str]) -> None:
    _run([sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(environment.python), *arguments])


def _run(command: Sequence[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        env=environment,
    )
    if done.returncode != 0:
        raise EnvironmentBuildError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout[-4000:]}")


def _build_once(prefix: Path, build: Callable[[], None]) -> None:
    """Build an environment in its final place, since scripts contain its path; do nothing if it is complete."""
    if (prefix / _MARKER).exists():
        return
    with _locked(prefix):
        if (prefix / _MARKER).exists():
            return
        if prefix.exists():
            shutil.rmtree(prefix)
        try:
            build()
        except EnvironmentBuildError:
            shutil.rmtree(prefix, ignore_errors=True)
            raise
        (prefix / _MARKER).write_text(json.dumps({"layout": _LAYOUT}))


@contextmanager
def _locked(prefix: Path) -> Iterator[None]:
    prefix.parent.mkdir(parents=True, exist_ok=True)
    with prefix.with_name(f"{prefix.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _key(*parts: str | bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()[:16]


@functools.cache
def _note_once(message: str) -> None:
    print(f"note: {message}", file=sys.stderr)


def main() -> int:
    """Prepare the default image's environment, and return the exit status."""
    try:
        environment = image_environment(find_image(DEFAULT_IMAGE), report=lambda line: print(line, flush=True))
    except LocalmakerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"ready: {environment.prefix}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
