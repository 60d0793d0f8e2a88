"""Limits on the memory and the processes of one instance of a job.

``LOCALMAKER_JOB_MEMORY_GIB`` and ``LOCALMAKER_JOB_PROCESSES`` set them; the defaults are half of the machine's memory
and 1024 processes. The instance type of the request does not matter: a laptop has no 384 GiB, and a job that needs a
quarter of its ``ml.m5.24xlarge`` should run here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from localmaker.errors import LocalmakerError

MEMORY_VARIABLE = "LOCALMAKER_JOB_MEMORY_GIB"
PROCESSES_VARIABLE = "LOCALMAKER_JOB_PROCESSES"
# SageMaker's words, for every kind of job.
OUT_OF_MEMORY = (
    "ClientError: Please use an instance type with more memory, "
    "or reduce the size of job data processed on an instance."
)
_DEFAULT_SHARE = 0.5
_DEFAULT_PROCESSES = 1024
_GIB = 1024**3
_CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True)
class Limits:
    """The limits of the process tree of one instance."""

    memory_bytes: int
    processes: int


class LimitSettingError(LocalmakerError):
    """A variable that sets a limit is not a positive number."""


def read_limits(variables: Mapping[str, str] = os.environ) -> Limits:
    """Return the limits that the environment variables set.

    Raises:
        LimitSettingError: a variable is not a positive number.
    """
    memory = _number(variables, MEMORY_VARIABLE)
    processes = _number(variables, PROCESSES_VARIABLE)
    return Limits(
        memory_bytes=int(_machine_bytes() * _DEFAULT_SHARE if memory is None else memory * _GIB),
        processes=_DEFAULT_PROCESSES if processes is None else max(1, int(processes)),
    )


def _number(variables: Mapping[str, str], name: str) -> float | None:
    text = variables.get(name, "").strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise LimitSettingError(f"{name}={text!r} is not a positive number. Set it like {name}=4, or unset it.")
    return value


def _machine_bytes() -> int:
    """Return the memory of the machine, or of the container that the endpoint runs in."""
    total = psutil.virtual_memory().total
    text = _CONTAINER_LIMIT.read_text().strip() if _CONTAINER_LIMIT.exists() else "max"
    return min(total, int(text)) if text.isdigit() else total


def failure_reason(limit: str, limits: Limits) -> str:
    """Return the FailureReason of a job that exceeded a limit (``memory`` or ``processes``).

    SageMaker has no reason for too many processes: its instances run until their memory is full.
    """
    if limit == "memory":
        return OUT_OF_MEMORY
    return (
        f"ClientError: The job started more than {limits.processes} processes. Raise {PROCESSES_VARIABLE} to allow it."
    )


def explanation(limit: str, limits: Limits) -> str:
    """Return the line in the job's log that names the limit of this endpoint."""
    if limit == "memory":
        return (
            f"the job was killed: it used more than {limits.memory_bytes / _GIB:.2f} GiB of memory "
            f"(set {MEMORY_VARIABLE} to allow more)"
        )
    return f"the job was killed: it had more than {limits.processes} processes (set {PROCESSES_VARIABLE} to allow more)"
