"""Images with an algorithm of their own: its programs, and how they get into a job."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath

#: Where a job has them, below /opt/ml.
_FOLDER = "algorithm"


def bring(program: Path, ml: Path) -> PurePosixPath:
    """Copy a program of an image, with its folder, into the directory that is an instance's ``/opt/ml``.

    Returns:
        Its path as the job sees it.
    """
    shutil.copytree(program.parent, ml / _FOLDER, ignore=shutil.ignore_patterns("__pycache__"))
    return PurePosixPath("/opt/ml", _FOLDER, program.name)
