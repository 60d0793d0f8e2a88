"""Retention of the jobs' logs.

SageMaker writes the logs of *every* job of an account and region into three groups, ``/aws/sagemaker/ProcessingJobs``,
``…/TrainingJobs`` and ``…/TransformJobs``, which it makes at the first job. They are not this project's alone, so:

- a group that is not there yet is made, with our retention and tags; the tags say that it is ours to decide on;
- a group that somebody else made is left as it is, whatever its retention, and the plan says so;
- ``destroy`` that is told to delete data deletes the logs of our own executions' jobs; a group of ours goes when
  nobody's log is in it any more. Otherwise its retention stays, and what is left expires.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.aws.clients import Aws
from pipeline.aws.not_found import unless_missing
from pipeline.deploy.engine.resource import Difference, LeftAlone, Removal, State
from pipeline.deploy.engine.tags import own_tags, surplus
from pipeline.deploy.resources.pipelines import execution_ids, stop_executions

_OWNERSHIP_TAGS = ("project", "environment")
_JOB_PREFIX = "pipelines-"
_RUNS = "runs/"


@dataclass(frozen=True)
class LogGroup:
    """One log group and how long it keeps what is in it.

    Attributes:
        name: of the group.
        retention_days: how long a log is kept.
        tags: name → value.
        pipelines: names of those whose executions' jobs write to it, among others.
        runs_bucket: bucket of ours with a folder for each execution, which outlives the pipelines where data is kept.
    """

    name: str
    retention_days: int
    tags: Mapping[str, str]
    pipelines: tuple[str, ...] = ()
    runs_bucket: str | None = None
    kind: str = "log group"

    def desired(self) -> State:
        """Retention and tags."""
        return {"retention in days": self.retention_days, "tags": dict(self.tags)}

    def _describe(self, aws: Aws) -> Any | None:
        pages = aws.logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=self.name)
        return next(
            (group for page in pages for group in page["logGroups"] if group["logGroupName"] == self.name), None
        )

    def _tags(self, aws: Aws, group: Any) -> dict[str, str]:
        # The ARN of DescribeLogGroups ends in ":*"; the tagging calls want it without.
        arn = group["arn"].removesuffix(":*")
        return own_tags(aws.logs.list_tags_for_resource(resourceArn=arn).get("tags", {}))

    def _is_ours(self, tags: Mapping[str, str]) -> bool:
        return all(tags.get(name) == self.tags.get(name) for name in _OWNERSHIP_TAGS)

    def current(self, aws: Aws) -> State | LeftAlone | None:
        """The group as it is; None where it does not exist; left alone where somebody else made it."""
        group = self._describe(aws)
        if group is None:
            return None
        tags = self._tags(aws, group)
        if not self._is_ours(tags):
            kept = f"{group['retentionInDays']} days" if "retentionInDays" in group else "for ever"
            owner = "-".join(tags[name] for name in _OWNERSHIP_TAGS if name in tags) or "somebody else"
            return LeftAlone(f"shared in the account and made by {owner}; keeps logs {kept}")
        return {"retention in days": group.get("retentionInDays"), "tags": tags}

    def create(self, aws: Aws) -> None:
        """Make the group with its tags at once, then set the retention."""
        aws.logs.create_log_group(logGroupName=self.name, tags=dict(self.tags))
        self._put_retention(aws)

    def _put_retention(self, aws: Aws) -> None:
        days: Any = self.retention_days
        aws.logs.put_retention_policy(logGroupName=self.name, retentionInDays=days)

    def update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        """Set the fields named."""
        if "retention in days" in differences:
            self._put_retention(aws)
        if "tags" in differences:
            group = self._describe(aws)
            arn = group["arn"].removesuffix(":*") if group else ""
            unwanted = surplus(self.tags, differences["tags"])
            if unwanted:
                aws.logs.untag_resource(resourceArn=arn, tagKeys=unwanted)
            aws.logs.tag_resource(resourceArn=arn, tags=dict(self.tags))

    def delete(self, aws: Aws, *, keep_data: bool) -> Removal:
        """Remove a group of ours that is empty; first the logs in it that are ours, unless data is kept."""
        group = self._describe(aws)
        if group is None:
            return Removal.ABSENT
        if not self._is_ours(self._tags(aws, group)):
            return Removal.OF_OTHERS
        if not keep_data:
            self._delete_our_logs(aws)
        if aws.logs.describe_log_streams(logGroupName=self.name, limit=1)["logStreams"]:
            return Removal.HOLDS_DATA if keep_data else Removal.OF_OTHERS
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
        """Ids of executions whose pipeline was removed before, and whose data was kept."""
        if self.runs_bucket is None:
            return set()
        pages = aws.s3.get_paginator("list_objects_v2").paginate(Bucket=self.runs_bucket, Prefix=_RUNS, Delimiter="/")
        found = unless_missing(lambda: [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])])
        return {prefix.removeprefix(_RUNS).rstrip("/") for prefix in found or []}
