"""The Python environments that local jobs run in, built once and kept.

An environment holds the libraries of one container image (a lock file with hashes) for one interpreter. A derived
environment adds the packages of one ``requirements.txt``: it sees the image's packages behind its own, which is the
result of ``pip install -r`` in the container. It is built in a job's sandbox. Both are kept in
``${XDG_CACHE_HOME:-~/.cache}/localmaker/environments``, named by a hash of their content. A marker beside it, written
last, shows that an environment is complete; a file lock admits one builder at a time. A build can write to its
environment only, and nothing in there is read or written afterwards outside a sandbox.

``python -m localmaker.images.environments`` prepares the environments of the default image and of functions.
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
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from localmaker.errors import LocalmakerError
from localmaker.images import requirements as requirements_of_jobs
from localmaker.images.installer import Installer, installer_of_builds
from localmaker.images.patience import FOREVER, Patience
from localmaker.images.requirements import Requirements
from localmaker.images.table import DEFAULT_IMAGE, DEFAULT_RUNTIME, ImageMapping, find_image, function_runtime
from localmaker.sandbox.sandbox import SandboxError, SandboxRequest, detect_isolation, start

Report = Callable[[str], None]

_LAYOUT = "4"
_LOCK_SECONDS = 0.2
_PROBE = "import json,sys;print(json.dumps([sys.executable,sys.base_prefix,'%d.%d.%d' % sys.version_info[:3]]))"

# A wheel may depend on a URL of a source package, for which pip's --only-binary does not hold. pip builds in processes
# of its own; without any (PEP 578), no code of a package runs where the passwords are.
_PIP_WITHOUT_BUILDS = """
import runpy, sys
def refuse(event, _arguments):
    if event in ("subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system"):
        raise PermissionError("packages are not built from source here")
sys.addaudithook(refuse)
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""


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
    def chain(self) -> Sequence[JobEnvironment]:
        """Return this environment and those that it sees, nearest first."""
        return (self, *(self.base.chain if self.base else ()))

    @property
    def prefixes(self) -> Sequence[Path]:
        """Return the directories of the chain."""
        return tuple(environment.prefix for environment in self.chain)


def cache_root() -> Path:
    """Return the directory of environments with links resolved, since a job's sandbox hides the home directory."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return (cache / "localmaker" / "environments").resolve()


def image_environment(
    image: ImageMapping, report: Report = lambda _line: None, patience: Patience = FOREVER
) -> JobEnvironment:
    """Return the environment of an image; build it if it does not exist.

    Args:
        image: entry of the table of images.
        report: receives a line at the start and at the end of a build.
        patience: when to give up.

    Raises:
        EnvironmentBuildError: the lock file cannot be installed.
        StoppedWaitingError, TimeExceededError: the patience has ended.
    """
    interpreter = find_interpreter(image.python)
    if not interpreter.version.startswith(f"{image.python}."):
        _note_once(
            f"jobs run on Python {interpreter.version}; the image has {image.python}, which is not installed here"
        )
    locks = [_read(file) for file in (image.lock, image.source) if file is not None]
    modules = [] if image.modules is None else sorted(image.modules.rglob("*.py"))
    key = _key(_LAYOUT, str(interpreter.executable), interpreter.version, *locks, *map(_read, modules))
    prefix = cache_root() / f"{image.lock.stem}-{key}"
    environment = JobEnvironment(prefix, interpreter, image.environment)

    def build() -> None:
        report(f"building the environment of {image.lock.stem} in {prefix} (once, about half a minute)")
        run = functools.partial(_run, patience)
        install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(environment.python)]
        run([str(interpreter.executable), "-m", "venv", "--without-pip", str(prefix)])
        run([*install, "--require-hashes", "-r", str(image.lock)])
        if image.source is not None:
            # Build with what is installed: an isolated build would fetch a setuptools without a hash.
            options = ["--require-hashes", "--no-deps", "--no-build-isolation"]
            run([*install, *options, "-r", str(image.source)])
        if image.modules is not None:
            shutil.copytree(image.modules, environment.site_packages, dirs_exist_ok=True)
        # Jobs cannot store compiled modules (their changes vanish), so compile now; test suites are never imported.
        run([str(environment.python), "-m", "compileall", "-q", "-j", "0", "-x", "/tests?/", str(prefix)])
        report(f"built {prefix.name}")

    _build_once(prefix, build, patience)
    return environment


def derived_environment(
    base: JobEnvironment,
    requirements: str,
    report: Report = lambda _line: None,
    patience: Patience = FOREVER,
    private: Sequence[Path] = (),
    *,
    wheels: Sequence[Path] = (),
) -> JobEnvironment:
    """Return an environment with the packages of a requirements file added; build it if it does not exist.

    Args:
        base: the image's environment.
        requirements: content of the file, which must not refer to other files.
        report: receives a line at the start and at the end of a build.
        patience: when to give up.
        private: directories of which the build sees nothing.
        wheels: files that the hashes of all lines are of, if there are such; no index is asked where they fit the
            interpreter.

    Raises:
        RefusedRequirementsError: a line asks for more than wheels of an index.
        EnvironmentBuildError: a package cannot be installed.
        StoppedWaitingError, TimeExceededError: the patience has ended.
    """
    allowed = requirements_of_jobs.source_packages_allowed()
    wanted = Requirements(requirements, names_index=True) if allowed else requirements_of_jobs.read(requirements)
    key = _key(wanted.text, *(("source",) if allowed else ()))
    prefix = base.prefix.with_name(f"{base.prefix.name}-with-{key}")
    environment = JobEnvironment(prefix, base.interpreter, base.variables, base)

    def build() -> None:
        report("installing requirements.txt (once for this content)")
        create_layer(prefix, str(prefix), base)
        installer = installer_of_builds(passwords=not wanted.names_index, private=[*private, cache_root()])
        try:
            _install_in_sandbox(environment, wanted.text, installer, patience, {wheel.parent for wheel in wheels})
        except EnvironmentBuildError:
            if not wheels:
                raise
            # They are of the image's platform, which this machine's may not be.
            _install_in_sandbox(environment, wanted.text, installer, patience)
        report("installed requirements.txt")

    _build_once(prefix, build, patience)
    return environment


def create_layer(folder: Path, path: str, below: JobEnvironment) -> None:
    """Create an empty virtual environment that sees the packages of another one behind its own.

    What is installed into it replaces or adds packages there, and leaves the other environment as it is.

    Args:
        folder: its directory, created if missing.
        path: the directory as those who run it see it.
        below: the other environment.
    """
    version = ".".join(below.interpreter.version.split(".")[:2])
    programs, packages = folder / "bin", folder / "lib" / f"python{version}" / "site-packages"
    programs.mkdir(parents=True)
    packages.mkdir(parents=True)
    (folder / "pyvenv.cfg").write_text(
        f"home = {below.interpreter.executable.parent}\n"
        f"include-system-site-packages = false\nversion = {below.interpreter.version}\n"
    )
    for name in ("python", "python3", f"python{version}"):
        (programs / name).symlink_to(below.interpreter.executable)
    for name in ("pip", "pip3"):
        (programs / name).write_text(f'#!/bin/sh\nexec "{path}/bin/python3" -m pip "$@"\n')
        (programs / name).chmod(0o755)
    seen = (environment.site_packages for environment in below.chain)
    (packages / "image.pth").write_text("".join(f"{directory}\n" for directory in seen))


def _install_in_sandbox(
    environment: JobEnvironment, text: str, installer: Installer, patience: Patience, folders: Collection[Path] = ()
) -> None:
    """Install requirements where pip can read nothing of the user's, and write nothing but the environment.

    They come from the index, or from folders with wheels alone.
    """
    with tempfile.TemporaryDirectory(prefix="requirements-", ignore_cleanup_errors=True) as folder:
        work = Path(folder).resolve()
        (work / "ml").mkdir()
        (work / "ml" / "requirements.txt").write_text(text, encoding="utf-8")
        # pip and not uv: it takes the image's packages as installed and adds only what they do not satisfy.
        options = ["--quiet", "--no-input", "--no-cache-dir", "-r", "/opt/ml/requirements.txt"]
        if folders:
            options += ["--no-index", *(f"--find-links={folder}" for folder in folders)]
        pip = ["-m", "pip"] if requirements_of_jobs.source_packages_allowed() else ["-c", _PIP_WITHOUT_BUILDS]
        request = SandboxRequest(
            command=[str(environment.python), *pip, "install", *options],
            environment=installer.variables,
            directory="/",
            work=work,
            visible=[environment.interpreter.prefix, *environment.prefixes[1:], *installer.visible, *folders],
            writable=[environment.prefix],
            isolation=detect_isolation(),
        )
        try:
            process = start(request)
        except SandboxError as error:
            raise EnvironmentBuildError(f"requirements.txt: {error}") from error
        try:
            said = patience.last_words(process.output(), process.life())
        except LocalmakerError:
            process.kill()
            raise
        finally:
            code = process.wait()
    if code != 0:
        raise EnvironmentBuildError(f"pip install -r requirements.txt: exit status {code}\n{said}")


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


def _run(patience: Patience, command: Sequence[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment) as process:
        output = cast("IO[bytes]", process.stdout)  # it is a pipe
        try:
            said = patience.last_words(output.fileno())
        except LocalmakerError:
            process.kill()
            raise
    if process.returncode != 0:
        raise EnvironmentBuildError(f"{' '.join(command)}: exit status {process.returncode}\n{said}")


def _build_once(prefix: Path, build: Callable[[], None], patience: Patience) -> None:
    """Build an environment in its final place, since scripts contain its path; do nothing if it is complete."""
    marker = prefix.with_name(f"{prefix.name}.complete")
    if marker.exists() and prefix.is_dir():
        return
    with _locked(prefix, patience):
        if marker.exists() and prefix.is_dir():
            return
        marker.unlink(missing_ok=True)
        _remove(prefix)
        try:
            build()
        except LocalmakerError:
            _remove(prefix)
            raise
        marker.touch(exist_ok=False)


def _remove(folder: Path) -> None:
    """Remove a directory, whatever permissions its content has; follow no links."""

    def make_writable(function: Callable[..., object], path: str, _error: object) -> None:
        for directory in (Path(path).parent, Path(path)):
            if directory.is_dir() and not directory.is_symlink():
                directory.chmod(0o700)
        function(path)

    if folder.exists():
        shutil.rmtree(folder, onerror=make_writable)


@contextmanager
def _locked(prefix: Path, patience: Patience) -> Iterator[None]:
    prefix.parent.mkdir(parents=True, exist_ok=True)
    with prefix.with_name(f"{prefix.name}.lock").open("w") as lock:

        def taken() -> bool:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        patience.until(taken, every_seconds=_LOCK_SECONDS)
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
    """Prepare the environments of the default image and of functions, and return the exit status."""

    def report(line: str) -> None:
        print(line, flush=True)

    try:
        environment = image_environment(find_image(DEFAULT_IMAGE), report)
        image_environment(function_runtime(DEFAULT_RUNTIME), report)
    except LocalmakerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"ready: {environment.prefix}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
