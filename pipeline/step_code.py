"""The code of ``steps/``: where it is, its package ``analysis`` for the template, and the lock of its libraries.

``steps/`` is copied into containers and is not installed here. Its shared package is loaded from its folder once,
before any other module of the template, so that ``from analysis.dataset… import …`` works in all of ``pipeline``.
"""

import hashlib
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Self

PACKAGE = "analysis"
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def _steps_folder() -> Path:
    """Return the scripts' folder: beside the package in a checkout, inside it in a wheel."""
    packaged = Path(__file__).parent / "_steps"
    return packaged if packaged.is_dir() else Path(__file__).parents[1] / "steps"


STEPS_FOLDER = _steps_folder()


def make_importable() -> None:
    """Load the package itself, unless it is loaded or on the path already; Python finds its modules by its folder."""
    if PACKAGE in sys.modules:
        return
    spec = spec_from_file_location(PACKAGE, STEPS_FOLDER / PACKAGE / "__init__.py")
    if spec is None or spec.loader is None:
        raise ImportError(f"{STEPS_FOLDER} holds no package {PACKAGE}.")
    module = module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)


@dataclass(frozen=True)
class Lock:
    """The libraries that steps need and the image lacks: each line is a pin with the hashes of its files."""

    sha256: str  #: Of the text; 64 hexadecimal digits.
    pins: Mapping[str, frozenset[str]]  #: ``name==version`` → SHA-256 of its files for any platform.

    @classmethod
    def of(cls, text: str) -> Self:
        """Read a lock."""
        lines = [line for line in text.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]
        pins = {line.split()[0]: frozenset(_HASH.findall(line)) for line in lines}
        return cls(hashlib.sha256(text.encode()).hexdigest(), pins)

    @property
    def prefix(self) -> str:
        """S3 key prefix of the wheels in the artifacts bucket, without a slash at the end."""
        return f"wheels/{self.sha256}"
