"""The user's code in the serving container: copied, given a setup, and installed before the server starts.

The image's ``serve`` does so with every model (sagemaker-containers 2.8.6.post2, ``_server.start`` and ``_modules``):
``pip install .`` in ``/opt/ml/code``, with build isolation unless ``PIP_NO_BUILD_ISOLATION`` is 0, and the server does
not start where that fails. Without a way to a package index it fails, since nothing finds setuptools there.

What it installs is a copy of modules that the server imports from their folder anyway. So once it has succeeded it is
not repeated for a model with the same files beside each other, in the same environment, with the same settings of pip
and the same kind of network; a project with a setup of its own is installed every time.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from localmaker.images.environments import JobEnvironment

#: Where the container has the code, below /opt/ml.
FOLDER = "code"
_SETUP = """
from setuptools import setup
setup(packages=[''],
      name="{}",
      version='1.0.0',
      include_package_data=True)
"""
_WHEEL = "\n[wheel]\nuniversal = 1\n"
_MANIFEST = "".join(
    ["\nrecursive-include . *\n", *(f"recursive-exclude . {name}\n" for name in ("__pycache__*", "*.pyc", "*.pyo"))]
)
# pip reads the variable as the value of build_isolation, not of no_build_isolation.
_WITHOUT_ISOLATION = ("0", "false", "no", "off")
_ADVICE = (
    "(the container installs the model's code with pip install ., which finds no setuptools without a way to a package "
    "index: set PIP_NO_BUILD_ISOLATION=0 in the model's Environment)"
)
_OWN = ("setup.py", "pyproject.toml")


@dataclass(frozen=True)
class Installation:
    """What happens before the server starts.

    Attributes:
        wanted: arguments of pip; empty if nothing has to be installed.
        marker: to create when the server has started; None if it is not to be remembered.
        advice: what to do if it does not start.
    """

    wanted: Sequence[str]
    marker: Path | None = None
    advice: Sequence[str] = ()

    def succeeded(self) -> None:
        """Remember that it did."""
        if self.marker is not None:
            self.marker.touch()


def copy(source: Path, ml: Path) -> Path:
    """Copy the code to where the container has it, unless it is there; return the folder."""
    target = ml / FOLDER
    if source != target:
        # Links that lead out of the model's archive were refused when it was unpacked.
        shutil.copytree(source, target, ignore_dangling_symlinks=True, dirs_exist_ok=True)
    return target


def installation(
    code: Path,
    name: str,
    environment: JobEnvironment,
    variables: Mapping[str, str],
    *,
    connected: bool,
    requirements: bool,
) -> Installation:
    """Give the code a setup if it has none, and return how it is installed.

    Args:
        code: folder of the code.
        name: of the module.
        environment: in which it is installed.
        variables: of the container.
        connected: it reaches a package index.
        requirements: it has some that are not in the environment.
    """
    own = any((code / file).exists() for file in _OWN)
    if not (code / "setup.py").exists():
        for file, content in (("setup.py", _SETUP.format(name)), ("setup.cfg", _WHEEL), ("MANIFEST.in", _MANIFEST)):
            (code / file).unlink(missing_ok=True)
            (code / file).write_text(content)
    advice = [] if connected or variables.get("PIP_NO_BUILD_ISOLATION") in _WITHOUT_ISOLATION else [_ADVICE]
    if own or requirements:
        return Installation([".", *(["-r requirements.txt"] if requirements else [])], advice=advice)
    marker = environment.prefix.with_name(f"{environment.prefix.name}-serves-{_key(code, variables, connected)}")
    return Installation([]) if marker.exists() else Installation(["."], marker, advice)


def _key(code: Path, variables: Mapping[str, str], connected: bool) -> str:
    files = sorted(
        os.path.relpath(os.path.join(folder, file), code)  # noqa: PTH118 - as os.walk gives them
        for folder, _, names in os.walk(code)
        for file in names
    )
    settings = {name: value for name, value in variables.items() if name.upper().startswith(("PIP_", "PYTHON"))}
    document = json.dumps([files, (code / "setup.py").read_text(), settings, connected], sort_keys=True)
    return hashlib.sha256(document.encode()).hexdigest()[:16]
