"""Limits on the memory, the processes and the disk of one instance of a job.

The variables below set them. By default a job gets what is free when it starts, less a reserve for the machine: the
instance type and the volume size of the request do not matter, since a laptop has neither 384 GiB of memory nor 500 GB
of disk, and a job that needs a quarter of its ``ml.m5.24xlarge`` should run here. Instances of one job share. Jobs that
run at the same time do not: each may need what the others do not, and when together they reach the reserve, the largest
is ended.
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
DISK_VARIABLE = "LOCALMAKER_JOB_DISK_GIB"
FILES_VARIABLE = "LOCALMAKER_JOB_FILES"
# SageMaker's words, for every kind of job.
OUT_OF_MEMORY = (
    "ClientError: Please use an instance type with more memory, "
    "or reduce the size of job data processed on an instance."
)
_DEFAULT_PROCESSES = 1024
_DEFAULT_FILES = 1_000_000
_GIB = 1024**3
# The machine's reserves: a part of what is installed, within bounds, and never more than half of what is free.
_MEMORY_RESERVE_PART, _MEMORY_RESERVE_BYTES = 16, (_GIB // 4, 2 * _GIB)
_DISK_RESERVE_PART, _DISK_RESERVE_BYTES = 20, (_GIB, 10 * _GIB)
_CONTAINER = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Limits:
    """The limits of the process tree of one instance.

    Attributes:
        memory_bytes, processes: of the tree.
        disk_bytes: of the job's directory, inputs included; also the size of its largest file.
        files: files and directories in it.
        memory_reserve_bytes, disk_reserve_bytes: what stays free on the machine.
        groups: use control groups where they are available.
    """

    memory_bytes: int
    processes: int = _DEFAULT_PROCESSES
    disk_bytes: int = 1 << 62
    files: int = _DEFAULT_FILES
    memory_reserve_bytes: int = 0
    disk_reserve_bytes: int = 0
    groups: bool = True


@dataclass(frozen=True)
class Settings:
    """What the variables set; None for what depends on the machine when a job starts."""

    memory_bytes: int | None = None
    processes: int = _DEFAULT_PROCESSES
    disk_bytes: int | None = None
    files: int = _DEFAULT_FILES


@dataclass(frozen=True)
class Room:
    """What a machine has of memory or disk, in bytes."""

    total: int
    free: int

    def reserve(self, part: int, bounds: tuple[int, int]) -> int:
        """Return what is to stay free: a part of the total within bounds, at most half of what is free now."""
        low, high = bounds
        return min(max(low, self.total // part), high, self.free // 2)


class LimitSettingError(LocalmakerError):
    """A variable that sets a limit is not a positive number."""


def read_settings(variables: Mapping[str, str] = os.environ) -> Settings:
    """Return what the environment variables set.

    Raises:
        LimitSettingError: a variable is not a positive number.
    """
    memory, disk = _number(variables, MEMORY_VARIABLE), _number(variables, DISK_VARIABLE)
    processes, files = _number(variables, PROCESSES_VARIABLE), _number(variables, FILES_VARIABLE)
    return Settings(
        memory_bytes=None if memory is None else int(memory * _GIB),
        processes=_DEFAULT_PROCESSES if processes is None else max(1, int(processes)),
        disk_bytes=None if disk is None else int(disk * _GIB),
        files=_DEFAULT_FILES if files is None else max(1, int(files)),
    )


def limits_now(settings: Settings, directory: Path, instances: int = 1) -> Limits:
    """Return the limits of each instance of a job that starts now.

    Args:
        directory: an existing directory on the disk that the job's directory will lie on.
        instances: how many instances the job has.
    """
    return decide(settings, _memory_room(), _disk_room(directory), instances)


def decide(settings: Settings, memory: Room, disk: Room, instances: int) -> Limits:
    """Return the limits on a machine with this room."""
    memory_reserve = memory.reserve(_MEMORY_RESERVE_PART, _MEMORY_RESERVE_BYTES)
    disk_reserve = disk.reserve(_DISK_RESERVE_PART, _DISK_RESERVE_BYTES)
    return Limits(
        memory_bytes=settings.memory_bytes or max(1, (memory.free - memory_reserve) // instances),
        processes=settings.processes,
        disk_bytes=settings.disk_bytes or max(1, (disk.free - disk_reserve) // instances),
        files=settings.files,
        memory_reserve_bytes=memory_reserve,
        disk_reserve_bytes=disk_reserve,
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


def _memory_room() -> Room:
    """Return the memory of the machine, or of the container that the endpoint runs in."""
    machine = psutil.virtual_memory()
    limit, used = (_content(_CONTAINER / name) for name in ("memory.max", "memory.current"))
    if not (limit.isdigit() and used.isdigit()):
        return Room(machine.total, machine.available)
    # Pages of files are given up for programs that need memory.
    statistics = dict(line.split() for line in _content(_CONTAINER / "memory.stat").splitlines())
    taken = int(used) - int(statistics.get("inactive_file", 0)) - int(statistics.get("active_file", 0))
    return Room(min(machine.total, int(limit)), min(machine.available, max(0, int(limit) - taken)))


def _content(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""


def _disk_room(directory: Path) -> Room:
    usage = psutil.disk_usage(str(directory))
    return Room(usage.total, usage.free)


def failure_reason(limit: str, limits: Limits) -> str:
    """Return the FailureReason of a job that exceeded a limit, named as in :mod:`.guard.limits`.

    SageMaker has no reason for the others: its instances run until their memory or their disk is full.
    """
    if limit in ("memory", "machine_memory"):
        return OUT_OF_MEMORY
    did, variable = _excess(limit, limits)
    return f"ClientError: The job {did}." + (f" Raise {variable} to allow it." if variable else "")


def explanation(limit: str, limits: Limits) -> str:
    """Return the line in the job's log that names the limit of this endpoint."""
    did, variable = _excess(limit, limits)
    return f"the job was killed: it {did}" + (f" (set {variable} to allow more)" if variable else "")


def _excess(limit: str, limits: Limits) -> tuple[str, str | None]:
    """Return what the job did, and the variable that allows it."""
    memory, disk = f"{limits.memory_bytes / _GIB:.2f} GiB", f"{limits.disk_bytes / _GIB:.2f} GiB"
    left, room = f"{limits.memory_reserve_bytes / _GIB:.2f} GiB", f"{limits.disk_reserve_bytes / _GIB:.2f} GiB"
    full = "no space left on device"
    told = {
        "memory": (f"used more than {memory} of memory", MEMORY_VARIABLE),
        "machine_memory": (f"was the largest when the machine had less than {left} of memory left", None),
        "processes": (f"started more than {limits.processes} processes", PROCESSES_VARIABLE),
        "disk": (f"stored more than {disk}: {full}", DISK_VARIABLE),
        "file_size": (f"wrote a file of more than {disk}: {full}", DISK_VARIABLE),
        "files": (f"had more than {limits.files} files: {full}", FILES_VARIABLE),
        "machine_disk": (f"stored files when the machine had less than {room} of disk left: {full}", None),
    }
    return told[limit]
