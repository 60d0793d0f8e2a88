"""What is known about a job, and where it is kept between runs of the endpoint."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localmaker.services.sagemaker.jobs.kinds import JobId, JobKind, JobStatus


@dataclass(frozen=True)
class Transition:
    """One entry of a training job's ``SecondaryStatusTransitions``."""

    status: str
    started: datetime
    ended: datetime | None
    message: str


@dataclass(frozen=True)
class Metric:
    """A metric's last value found in the log of a training job."""

    name: str
    value: float
    time: datetime


@dataclass(frozen=True)
class JobRecord:
    """One job. Times are in UTC; ``request`` is the Create request in botocore's terms, without tags.

    Attributes:
        pool_ended: when a training job's warm pool ended before its time.
        reused_by: the job that took the pool then.
    """

    kind: JobKind
    name: str
    arn: str
    request: Mapping[str, Any]
    created: datetime
    modified: datetime
    status: JobStatus = JobStatus.IN_PROGRESS
    started: datetime | None = None
    ended: datetime | None = None
    failure_reason: str | None = None
    exit_message: str | None = None
    secondary_status: str = "Starting"
    transitions: tuple[Transition, ...] = ()
    metrics: tuple[Metric, ...] = ()
    log_stream: str | None = None
    tags: tuple[Mapping[str, str], ...] = field(default=())
    pool_ended: datetime | None = None
    reused_by: str | None = None

    @property
    def id(self) -> JobId:
        return JobId(self.kind, self.name)


class JobStore:
    """Records as one JSON file a job, replaced whole, so that a killed endpoint leaves the last consistent state.

    Layout: ``<root>/<kind>/<name>/record.json``, beside it ``log`` and, while the job runs, ``work/``.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, job: JobId) -> Path:
        """The job's directory. Names are checked when a job is created, so they cannot lead elsewhere."""
        return self.root / job.kind.value.lower() / job.name

    def save(self, record: JobRecord) -> None:
        folder = self.folder(record.id)
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / "record.json.new"
        draft.write_text(json.dumps(asdict(record), default=_to_json), encoding="utf-8")
        draft.replace(folder / "record.json")

    def delete(self, job: JobId) -> None:
        """Remove a job's directory: its record first, so that a killed endpoint does not know half of a job."""
        folder = self.folder(job)
        (folder / "record.json").unlink()
        shutil.rmtree(folder)

    def load(self) -> Iterator[JobRecord]:
        """Every record, oldest first. What deletions have left behind is removed."""
        for folder in self.root.glob("*/*"):
            if not (folder / "record.json").exists():
                shutil.rmtree(folder)
        files = self.root.glob("*/*/record.json")
        records = [_from_json(json.loads(file.read_text(encoding="utf-8"))) for file in files]
        yield from sorted(records, key=lambda record: record.created)


def now() -> datetime:
    """The present time in UTC, to the millisecond that AWS shows."""
    present = datetime.now(UTC)
    return present.replace(microsecond=present.microsecond // 1000 * 1000)


def _to_json(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} in a job's record")


def _time(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


def _from_json(document: dict[str, Any]) -> JobRecord:
    return JobRecord(
        **{
            **document,
            "kind": JobKind(document["kind"]),
            "status": JobStatus(document["status"]),
            "tags": tuple(document["tags"]),
            "transitions": tuple(
                Transition(
                    entry["status"], datetime.fromisoformat(entry["started"]), _time(entry["ended"]), entry["message"]
                )
                for entry in document["transitions"]
            ),
            "metrics": tuple(
                Metric(entry["name"], entry["value"], datetime.fromisoformat(entry["time"]))
                for entry in document["metrics"]
            ),
            **{name: _time(document[name]) for name in ("created", "modified", "started", "ended")},
            # Records of earlier versions have no pools.
            "pool_ended": _time(document.get("pool_ended")),
        }
    )
