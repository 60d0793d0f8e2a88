"""Retention of the jobs' logs.

SageMaker writes the logs of *every* job of an account and region into three groups, ``/aws/sagemaker/ProcessingJobs``,
``…/TrainingJobs`` and ``…/TransformJobs``, which it makes at the first job. They are not this project's alone, so:

- a group that does not exist yet is created, with our retention and tags; the tags mark it as ours;
- a group that somebody else created is left as it is, whatever its retention, and the plan says so;
- ``destroy --delete-data`` deletes the logs of our own executions' jobs; a group of ours is removed once it is
  empty. Otherwise its retention stays, and what is left expires.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.aws.clients import Aws
from pipeline.aws.not_found import unless_missing
from pipeline.deploy.engine import tags
from pipeline.deploy.engine.resource import OWNERSHIP_TAGS, Difference, ForeignResource, Removal, Resource, State
from pipeline.deploy.resources.pipelines import execution_ids, stop_executions

_JOB_PREFIX = "pipelines-"
_RUNS = "runs/"


@dataclass(frozen=True)
class LogGroup(Resource):
    """One log group and how long it keeps its logs."""

    kind = "log group"
    tag_api = tags.LOGS
    retention_days: int
    pipelines: tuple[str, ...] = ()  #: Names of those whose executions' jobs write to it, among others
    #: Bucket of ours with a folder for each execution, which outlives the pipelines where data is kept.
    runs_bucket: str | None = None

    def _desired(self) -> State:
        return {"retention in days": self.retention_days}

    def _describe(self, aws: Aws) -> Any:
        pages = aws.logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=self.name)
        groups = (group for page in pages for group in page["logGroups"])
        return next((group for group in groups if group["logGroupName"] == self.name), None)

    def _tagged_as(self, found: Any) -> str:
        # The ARN of DescribeLogGroups ends in ":*"; the tagging calls want it without.
        return str(found["arn"]).removesuffix(":*") if found else ""

    def _state(self, aws: Aws, found: Any) -> State | ForeignResource:
        present = self.tag_api.read(aws, self._tagged_as(found))
        if not self.is_ours(present):
            kept = f"{found['retentionInDays']} days" if "retentionInDays" in found else "for ever"
            owner = "-".join(present[name] for name in OWNERSHIP_TAGS if name in present) or "somebody else"
            return ForeignResource(f"shared in the account and created by {owner}; keeps logs {kept}")
        return {"retention in days": found.get("retentionInDays"), "tags": present}

    def create(self, aws: Aws) -> None:
        """Create the group with its tags at once, then set the retention."""
        aws.logs.create_log_group(logGroupName=self.name, tags=dict(self.tags))
        self._put_retention(aws)

    def _put_retention(self, aws: Aws) -> None:
        days: Any = self.retention_days
        aws.logs.put_retention_policy(logGroupName=self.name, retentionInDays=days)

    def _update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        self._put_retention(aws)

    def _remove(self, aws: Aws, found: Any, *, keep_data: bool) -> Removal:
        if not self.is_ours(self.tag_api.read(aws, self._tagged_as(found))):
            return Removal.NOT_OURS
        if not keep_data:
            self._delete_our_logs(aws)
        if aws.logs.describe_log_streams(logGroupName=self.name, limit=1)["logStreams"]:
            return Removal.HOLDS_DATA if keep_data else Removal.NOT_OURS
        aws.logs.delete_log_group(logGroupName=self.name)
        return Removal.REMOVED

    def _delete_our_logs(self, aws: Aws) -> None:
        for name in self.pipelines:
            stop_executions(aws, name)  # else they would write on
        # SageMaker Pipelines names jobs pipelines-<execution id>-<step>-…, and a job's log stream begins with its name.
        executions = {one for name in self.pipelines for one in execution_ids(aws, name)} | self._kept_runs(aws)
        ours = tuple(f"{_JOB_PREFIX}{one}-" for one in sorted(executions))
        pages = aws.logs.get_paginator("describe_log_streams").paginate(
            logGroupName=self.name, logStreamNamePrefix=_JOB_PREFIX
        )
        streams = [stream["logStreamName"] for page in pages for stream in page["logStreams"]]
        for name in streams:
            if name.startswith(ours):
                aws.logs.delete_log_stream(logGroupName=self.name, logStreamName=name)

    def _kept_runs(self, aws: Aws) -> set[str]:
        """Return the ids of executions whose pipeline was removed before, and whose data was kept."""
        if self.runs_bucket is None:
            return set()
        pages = aws.s3.get_paginator("list_objects_v2").paginate(Bucket=self.runs_bucket, Prefix=_RUNS, Delimiter="/")
        found = unless_missing(lambda: [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])])
        return {prefix.removeprefix(_RUNS).rstrip("/") for prefix in found or []}


@dataclass(frozen=True)
class FunctionLogGroup(LogGroup):
    """The log group of one function, which nobody else writes to."""

    def _remove(self, aws: Aws, found: Any, *, keep_data: bool) -> Removal:
        if not self.is_ours(self.tag_api.read(aws, self._tagged_as(found))):
            return Removal.NOT_OURS
        if keep_data and aws.logs.describe_log_streams(logGroupName=self.name, limit=1)["logStreams"]:
            return Removal.HOLDS_DATA
        aws.logs.delete_log_group(logGroupName=self.name)
        return Removal.REMOVED
