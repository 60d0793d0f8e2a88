"""Images with an algorithm of their own: its programs, and how they get into a job."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath

from localmaker.services.sagemaker.jobs.failures import client_error

#: Where a job has them, below /opt/ml.
_FOLDER = "algorithm"


def bring(program: Path, ml: Path) -> PurePosixPath:
    """Copy a program of an image, with its folder, into the directory that is an instance's ``/opt/ml``.

    Returns:
        Its path as the job sees it.

    Raises:
        JobFailure: the table of images names what does not exist or cannot be read.
    """
    try:
        shutil.copytree(program.parent, ml / _FOLDER, ignore=shutil.ignore_patterns("__pycache__"))
    except OSError as error:  # copytree's own error is one, too
        raise client_error(f"the program {program} that images.toml names cannot be copied: {error}") from error
    if not (ml / _FOLDER / program.name).is_file():
        raise client_error(f"there is no program {program}, which images.toml names.")
    return PurePosixPath("/opt/ml", _FOLDER, program.name)
