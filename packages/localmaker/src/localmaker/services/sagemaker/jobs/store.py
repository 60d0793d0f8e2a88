"""Every job that an endpoint knows: records in memory, each written to its file before a change becomes visible."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from localmaker.errors import AwsError
from localmaker.services.sagemaker.jobs.data.trees import remove_tree
from localmaker.services.sagemaker.jobs.kinds import JobId, JobKind
from localmaker.services.sagemaker.jobs.records import JobRecord, advance, interrupted, now
from localmaker.services.sagemaker.jobs.training import warm_pools
from localmaker.services.sagemaker.serialization import dump, load

_LOGGER = logging.getLogger(__name__)
_MAX_TAGS = 50
_RECORD = "record.json"


class JobStore:
    """The jobs below one directory. Records change under one lock only, :attr:`lock`, and are replaced whole.

    Layout: ``<root>/<kind>/<name>/record.json``, beside it ``log`` and, while the job runs, ``work/``. A file is
    replaced whole, so that a killed endpoint leaves the last consistent state.

    Args:
        root: directory of the jobs. Jobs that were running when the previous endpoint stopped become Failed.

    Attributes:
        lock: reentrant; held by callers that read first and then change.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self.lock = threading.Condition(threading.RLock())
        self._records: dict[JobId, JobRecord] = {}
        for record in self._load():
            if not record.status.terminal:
                self._put(interrupted(record))
                _remove_what_can_be(self.folder(record.id) / "work")
            else:
                self._records[record.id] = record

    def _load(self) -> Iterable[JobRecord]:
        """Read every record, oldest first, and remove what deletions have left behind."""
        for folder in self._root.glob("*/*"):
            if not (folder / _RECORD).exists():
                remove_tree(folder)
        files = self._root.glob(f"*/*/{_RECORD}")
        records = [load(JobRecord, file.read_text(encoding="utf-8")) for file in files]
        return sorted(records, key=lambda record: record.created)

    def _put(self, record: JobRecord) -> None:
        folder = self.folder(record.id)
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f"{_RECORD}.new"
        draft.write_text(dump(record), encoding="utf-8")
        draft.replace(folder / _RECORD)
        self._records[record.id] = record

    def folder(self, job: JobId) -> Path:
        """Return a job's directory. Names are checked when a job is created, so they cannot lead elsewhere."""
        return self._root / job.kind.value.lower() / job.name

    def all(self) -> Iterable[JobRecord]:
        """Return every job."""
        with self.lock:
            return list(self._records.values())

    def record(self, kind: JobKind, name: str) -> JobRecord:
        """Return a job's record.

        Raises:
            AwsError: ValidationException for a job that does not exist, in AWS's words.
        """
        with self.lock:
            record = self._records.get(JobId(kind, name))
        if record is None:
            raise AwsError("ValidationException", kind.describe_not_found(name))
        return record

    def wait(self, kind: JobKind, name: str, timeout: float | None) -> JobRecord:
        """Block until the job has ended, or until ``timeout`` seconds have passed; fails as :meth:`record`."""
        with self.lock:
            self.lock.wait_for(lambda: self.record(kind, name).status.terminal, timeout)
            return self.record(kind, name)

    def add(self, record: JobRecord) -> None:
        """Add a new job. It takes over the warm pool of an earlier job that matches.

        Raises:
            AwsError: ResourceInUse for a name in use.
        """
        with self.lock:
            if record.id in self._records:
                raise AwsError(
                    "ResourceInUse",
                    "Job name must be unique within an AWS account and region, and a job with this name already exists "
                    f"({record.arn})",
                )
            pool = None
            if record.kind is JobKind.TRAINING:
                pool = warm_pools.find_match(self._records.values(), record.request, record.created)
            try:
                self._put(record)
                if pool is not None:
                    self.change(pool.id, pool_ended=record.created, reused_by=record.name)
            except OSError:  # as on a full disk: there is no such job then
                _remove_what_can_be(self.folder(record.id))
                self._records.pop(record.id, None)
                raise

    def change(self, job: JobId, **changes: Any) -> JobRecord:
        """Replace a record and wake waiting threads."""
        with self.lock:
            record = advance(self._records[job], changes)
            self._put(record)
            self.lock.notify_all()
            return record

    def delete(self, job: JobId) -> None:
        """Forget a job that has ended, with its files and tags; its name can be used again.

        Raises:
            AwsError: ResourceNotFound for a job that does not exist, ResourceInUse for one that has not ended or whose
                warm pool is available.
        """
        kind = job.kind.value.lower()
        with self.lock:
            record = self._records.get(job)
            if record is None:
                raise AwsError("ResourceNotFound", job.kind.describe_not_found(job.name))
            if not record.status.terminal:
                raise AwsError(
                    "ResourceInUse", f"The request was rejected because the {kind} job is in status {record.status}."
                )
            if warm_pools.is_available(record, now()):
                raise AwsError("ResourceInUse", f"The warm pool of {kind} job {job.name} is Available.")
            # The record goes first, so that a killed endpoint does not find half a job.
            (self.folder(job) / _RECORD).unlink()
            remove_tree(self.folder(job))
            del self._records[job]

    def change_tags(self, arn: str, added: dict[str, str], removed: Collection[str] = ()) -> dict[str, str]:
        """Add and remove tags of a job, and return all it has then; without a change, only return them.

        Raises:
            AwsError: ValidationException for the ARN of no job, or for more than 50 tags; fails as :meth:`record`.
        """
        job = JobId.of_arn(arn)
        if job is None:
            raise AwsError("ValidationException", f"{arn} is not a job.")
        with self.lock:
            record = self.record(job.kind, job.name)
            known = {tag["Key"]: tag["Value"] for tag in record.tags}
            tags = {key: value for key, value in {**known, **added}.items() if key not in removed}
            if len(tags) > _MAX_TAGS:
                raise AwsError("ValidationException", f"Too many tags: {len(tags)}; a resource can have {_MAX_TAGS}.")
            if added or removed:
                self.change(job, tags=tuple({"Key": key, "Value": value} for key, value in tags.items()))
            return tags


def _remove_what_can_be(folder: Path) -> None:
    try:
        remove_tree(folder)
    except FileNotFoundError:
        return
    except OSError:
        _LOGGER.exception("%s could not be removed", folder)
