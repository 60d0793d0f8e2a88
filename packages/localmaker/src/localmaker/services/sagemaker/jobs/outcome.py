"""How a job ends, and the small files it may say so in."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from localmaker.services.sagemaker.jobs.failures import REASON_LIMIT, client_error
from localmaker.services.sagemaker.jobs.kinds import JobStatus
from localmaker.services.sagemaker.jobs.records import Metric

_MAX_CHARACTER_BYTES = 4


@dataclass(frozen=True)
class Outcome:
    """A job's end.

    Attributes:
        secondary_status: a training job's, where it differs from the status.
        metrics, series: the last value of each metric, and all values.
    """

    status: JobStatus
    failure_reason: str | None = None
    exit_message: str | None = None
    secondary_status: str | None = None
    metrics: tuple[Metric, ...] = ()
    series: tuple[Metric, ...] = ()


def algorithm_error(message: str | None, code: int) -> str:
    """Return the FailureReason of a job whose program ended with an exit status other than 0."""
    ending = f", exit code: {code}"
    reason = f"AlgorithmError: {message or 'See job logs for more information'}"
    return reason[: REASON_LIMIT - len(ending)] + ending


def read_failure(path: Path) -> str | None:
    """The first 1024 characters of a failure file that the job wrote, or None."""
    content = _read_start(path, REASON_LIMIT * _MAX_CHARACTER_BYTES)
    return content.decode(errors="ignore")[:REASON_LIMIT].strip() or None


def read_message(paths: Iterable[Path]) -> str | None:
    """The first kilobyte of what the message files of a job's instances say one after the other, or None.

    Raises:
        JobFailure: one of them is not UTF-8.
    """
    whole = b""
    for path in paths:
        content = _read_start(path, REASON_LIMIT)
        try:
            # A last character that the limit has cut is no error.
            codecs.getincrementaldecoder("utf-8")().decode(content, final=len(content) < REASON_LIMIT)
        except UnicodeDecodeError as error:
            raise client_error(f"/opt/ml/output/{path.name} is not UTF-8 encoded: {error}") from error
        whole += content
    return whole[:REASON_LIMIT].decode(errors="ignore").strip() or None


def _read_start(path: Path, size: int) -> bytes:
    """The first bytes of a file, none where there is none. A link is not followed."""
    if path.is_symlink() or path.parent.is_symlink() or not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(size)
