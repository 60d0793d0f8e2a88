"""The outcome of a job, and the files in which its program reports it."""

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
    """The end of a job.

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
    """Return the first 1024 characters of a failure file that the job wrote; None where it is missing or empty."""
    content = _read_start(path, REASON_LIMIT * _MAX_CHARACTER_BYTES)
    return content.decode(errors="ignore")[:REASON_LIMIT].strip() or None


def read_message(paths: Iterable[Path]) -> str | None:
    """Return the first kilobyte of the message files of a job's instances, joined; None where they are empty.

    Raises:
        JobFailure: one of them is not UTF-8.
    """
    whole = b""
    for path in paths:
        content = _read_start(path, REASON_LIMIT)
        try:
            # A last character that was cut by the limit is not an error.
            codecs.getincrementaldecoder("utf-8")().decode(content, final=len(content) < REASON_LIMIT)
        except UnicodeDecodeError as error:
            raise client_error(f"/opt/ml/output/{path.name} is not UTF-8 encoded: {error}") from error
        whole += content
    return whole[:REASON_LIMIT].decode(errors="ignore").strip() or None


def _read_start(path: Path, size: int) -> bytes:
    """Return the first bytes of a file; empty where it does not exist. Links are not followed."""
    if path.is_symlink() or path.parent.is_symlink() or not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(size)
