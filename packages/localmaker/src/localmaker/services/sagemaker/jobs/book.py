"""All jobs that an endpoint knows: their records in memory and, always before that, in files."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from localmaker.errors import AwsError
from localmaker.services.sagemaker.jobs import tagging
from localmaker.services.sagemaker.jobs.kinds import JobId, JobKind
from localmaker.services.sagemaker.jobs.records import JobRecord, JobStore, now
from localmaker.services.sagemaker.jobs.training import warm_pools
from localmaker.services.sagemaker.jobs.transitions import advance, interrupted


class JobBook:
    """Records change under one lock only, :attr:`lock`, are replaced whole and written before the change is visible.

    Args:
        root: directory of the jobs. Those that were running when the endpoint ended are failed now.

    Attributes:
        lock: for whoever looks first and changes then; it can be taken again by the thread that has it.
    """

    def __init__(self, root: Path) -> None:
        self._store = JobStore(root.resolve())
        self.lock = threading.Condition(threading.RLock())
        self._records: dict[JobId, JobRecord] = {}
        for record in self._store.load():
            known = record
            if not record.status.terminal:
                known = replace(record, **interrupted(record))
                self._store.save(known)
                shutil.rmtree(self._store.folder(record.id) / "work", ignore_errors=True)
            self._records[record.id] = known

    def folder(self, job: JobId) -> Path:
        """A job's directory."""
        return self._store.folder(job)

    def all(self) -> Iterable[JobRecord]:
        """Every job."""
        with self.lock:
            return list(self._records.values())

    def record(self, kind: JobKind, name: str) -> JobRecord:
        """What is known about a job.

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
        """A new job. It takes the warm pool of an earlier one that matches.

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
            if record.kind is JobKind.TRAINING:
                pool = warm_pools.find_match(self._records.values(), record.request, record.created)
                if pool is not None:
                    self.change(pool.id, pool_ended=record.created, reused_by=record.name)
            self._put(record)

    def change(self, job: JobId, **changes: Any) -> JobRecord:
        """Replace a record and wake those who wait."""
        with self.lock:
            record = advance(self._records[job], changes)
            self._put(record)
            self.lock.notify_all()
            return record

    def _put(self, record: JobRecord) -> None:
        self._store.save(record)
        self._records[record.id] = record

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
            self._store.delete(job)
            del self._records[job]

    def add_tags(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The AddTags response for a job: all of its tags.

        Raises:
            AwsError: as :meth:`record`, ValidationException for more than 50 tags.
        """
        with self.lock:
            record = self._tagged(request)
            changed = self.change(record.id, tags=tagging.add(record.tags, request["Tags"]))
            return {"Tags": [dict(tag) for tag in changed.tags]}

    def list_tags(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The ListTags response for a job; fails as :meth:`record`."""
        return {"Tags": [dict(tag) for tag in self._tagged(request).tags]}

    def delete_tags(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The DeleteTags response for a job; fails as :meth:`record`."""
        with self.lock:
            record = self._tagged(request)
            self.change(record.id, tags=tagging.remove(record.tags, request["TagKeys"]))
            return {}

    def _tagged(self, request: Mapping[str, Any]) -> JobRecord:
        job = JobId.of_arn(request["ResourceArn"])
        if job is None:
            raise AwsError("ValidationException", f"{request['ResourceArn']} is not a job.")
        return self.record(job.kind, job.name)
