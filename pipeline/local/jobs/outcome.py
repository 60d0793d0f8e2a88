"""How a job ends, and the small files it may say so in."""

from __future__ import annotations

import gzip
import shutil
from dataclasses import dataclass
from pathlib import Path

from pipeline.local.jobs.failures import REASON_LIMIT, client_error
from pipeline.local.jobs.kinds import JobStatus
from pipeline.local.jobs.objects import regular_files
from pipeline.local.jobs.records import Metric


@dataclass(frozen=True)
class Outcome:
    """A job's end.

    Attributes:
        secondary_status: a training job's, where it differs from the status.
    """

    status: JobStatus
    failure_reason: str | None = None
    exit_message: str | None = None
    secondary_status: str | None = None
    metrics: tuple[Metric, ...] = ()


def read_message(path: Path) -> str | None:
    """The first kilobyte of a message file that the job wrote, or None. A link is not followed."""
    if path.is_symlink() or path.parent.is_symlink() or not path.is_file():
        return None
    with path.open("rb") as file:
        text = file.read(REASON_LIMIT).decode(errors="ignore").strip()
    return text or None


def unzip_folder(folder: Path) -> None:
    """Replace every gzip-compressed file by what is in it, as ``CompressionType: Gzip`` asks.

    Raises:
        JobFailure: a file is not gzip.
    """
    for path in list(regular_files(folder)):
        target = path.with_suffix("") if path.suffix == ".gz" else path.with_name(f"{path.name}.unpacked")
        try:
            with gzip.open(path, "rb") as source, target.open("wb") as plain:
                shutil.copyfileobj(source, plain)
        except (OSError, EOFError) as error:
            raise client_error(
                f'"{path.name}" is not compressed with gzip, as CompressionType says: {error}'
            ) from error
        path.unlink()
        if path.suffix != ".gz":
            target.rename(path)
