"""The trigger: an EventBridge rule for objects under a prefix, and its target, a SageMaker pipeline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.aws import Aws
from pipeline.deploy.resource import Difference, State
from pipeline.missing import unless_missing

_TARGET_ID = "pipeline"
# An event that can't be delivered is tried again for a day; EventBridge's own maximum.
_RETRIES = {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400}


@dataclass(frozen=True)
class UploadRule:
    """Starts a pipeline for each new object whose key fits.

    Attributes:
        name: of the rule.
        bucket: whose objects it watches.
        key_pattern: wildcard pattern of EventBridge, such as ``raw/training/*.csv``.
        pipeline_arn: what it starts.
        role_arn: role with which EventBridge starts it.
        parameters: pipeline parameter → JSON path into the event.
        tags: name → value.
    """

    name: str
    bucket: str
    key_pattern: str
    pipeline_arn: str
    role_arn: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    kind: str = "rule"

    def desired(self) -> State:
        """Pattern, state, target, tags."""
        return {
            "pattern": self._pattern(),
            "state": "ENABLED",
            "target": self._target(),
            "tags": dict(self.tags),
        }

    def _pattern(self) -> dict[str, Any]:
        return {
            "source": ["aws.s3"],
            "detail-type": ["Object Created"],
            "detail": {"bucket": {"name": [self.bucket]}, "object": {"key": [{"wildcard": self.key_pattern}]}},
        }

    def _target(self) -> dict[str, Any]:
        return {
            "Id": _TARGET_ID,
            "Arn": self.pipeline_arn,
            "RoleArn": self.role_arn,
            "SageMakerPipelineParameters": {
                "PipelineParameterList": [{"Name": name, "Value": path} for name, path in self.parameters.items()]
            },
            "RetryPolicy": _RETRIES,
        }

    def current(self, aws: Aws) -> State | None:
        """The rule as it is; None where it does not exist."""
        rule = unless_missing(lambda: aws.events.describe_rule(Name=self.name))
        if rule is None:
            return None
        targets = aws.events.list_targets_by_rule(Rule=self.name)["Targets"]
        tags = aws.events.list_tags_for_resource(ResourceARN=rule["Arn"])["Tags"]
        return {
            "pattern": json.loads(rule.get("EventPattern", "{}")),
            "state": rule.get("State"),
            "target": dict(targets[0]) if len(targets) == 1 else [dict(target) for target in targets],
            "tags": {tag["Key"]: tag["Value"] for tag in tags},
        }

    def create(self, aws: Aws) -> None:
        """Make rule and target. The rule is enabled last, so that it never fires without a target."""
        self._put_rule(aws, "DISABLED")
        self._put_target(aws)
        self._put_rule(aws, "ENABLED")

    def update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        """Set the fields named."""
        if "target" in differences:
            self._put_target(aws)
        if {"pattern", "state"} & set(differences):
            self._put_rule(aws, "ENABLED")
        if "tags" in differences:
            arn = aws.events.describe_rule(Name=self.name)["Arn"]
            surplus = set(differences["tags"].current or {}) - set(self.tags)
            if surplus:
                aws.events.untag_resource(ResourceARN=arn, TagKeys=sorted(surplus))
            aws.events.tag_resource(ResourceARN=arn, Tags=self._tag_list())

    def delete(self, aws: Aws, *, keep_data: bool) -> bool:  # noqa: ARG002
        """Disable the rule, then remove targets and rule."""
        if unless_missing(lambda: aws.events.describe_rule(Name=self.name)) is None:
            return False
        aws.events.disable_rule(Name=self.name)
        targets = aws.events.list_targets_by_rule(Rule=self.name)["Targets"]
        if targets:
            aws.events.remove_targets(Rule=self.name, Ids=[target["Id"] for target in targets])
        aws.events.delete_rule(Name=self.name)
        return True

    def _tag_list(self) -> Any:
        return [{"Key": key, "Value": value} for key, value in self.tags.items()]

    def _put_rule(self, aws: Aws, state: Any) -> None:
        aws.events.put_rule(
            Name=self.name, EventPattern=json.dumps(self._pattern()), State=state, Tags=self._tag_list()
        )

    def _put_target(self, aws: Aws) -> None:
        surplus = [
            target["Id"]
            for target in aws.events.list_targets_by_rule(Rule=self.name)["Targets"]
            if target["Id"] != _TARGET_ID
        ]
        if surplus:
            aws.events.remove_targets(Rule=self.name, Ids=surplus)
        target: Any = self._target()
        answer = aws.events.put_targets(Rule=self.name, Targets=[target])
        if answer.get("FailedEntryCount"):
            from botocore.exceptions import ClientError

            failed = answer["FailedEntries"][0]
            raise ClientError(
                {"Error": {"Code": failed.get("ErrorCode", ""), "Message": failed.get("ErrorMessage", "")}},
                "PutTargets",
            )
