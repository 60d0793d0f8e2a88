"""EventBridge rules with one target each: an upload starts a pipeline, a failed execution alarms people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from pipeline.aws.clients import Aws
from pipeline.deploy.engine import tags
from pipeline.deploy.engine.resource import Difference, Removal, Resource, State
from pipeline.deploy.resources.pipelines import Pipeline

# An event that can't be delivered is tried again for a day; EventBridge's own maximum.
_RETRIES = {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400}


@dataclass(frozen=True)
class Rule(Resource):
    """One rule of the default event bus.

    Attributes:
        pattern: which events.
        target: what gets them, in the form of PutTargets.
        starts: ARN of the pipeline that the rule starts; None for a rule that starts none.
    """

    kind = "rule"
    tag_api = tags.EVENTS
    pattern: Mapping[str, Any]
    target: Mapping[str, Any]
    starts: str | None = None

    def triggers(self, other: Resource) -> bool:
        """Say whether it starts the other one."""
        return isinstance(other, Pipeline) and other.arn == self.starts

    def pause(self, aws: Aws) -> None:
        """Disable the rule."""
        aws.events.disable_rule(Name=self.name)

    def _desired(self) -> State:
        return {
            "pattern": dict(self.pattern),
            "schedule": None,
            "state": "ENABLED",
            "targets": [dict(self.target)],
        }

    def _describe(self, aws: Aws) -> Any:
        return aws.events.describe_rule(Name=self.name)

    def _state(self, aws: Aws, found: Any) -> State:
        return {
            "pattern": json.loads(found.get("EventPattern") or "{}"),
            "schedule": found.get("ScheduleExpression"),
            "state": found.get("State"),
            "targets": self._targets(aws),
        }

    def _tagged_as(self, found: Any) -> str:
        return str(found["Arn"])

    def _targets(self, aws: Aws) -> list[dict[str, Any]]:
        pages = aws.events.get_paginator("list_targets_by_rule").paginate(Rule=self.name)
        return sorted((dict(target) for page in pages for target in page["Targets"]), key=lambda item: item["Id"])

    def create(self, aws: Aws) -> None:
        """Create rule and target. The rule is enabled last, so that it never fires without a target."""
        pattern = json.dumps(self.pattern)
        aws.events.put_rule(Name=self.name, EventPattern=pattern, State="DISABLED", Tags=tags.tag_list(self.tags))
        self._put_target(aws, [])
        self._put_rule(aws)

    def _update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        if "targets" in differences:
            self._put_target(aws, [target["Id"] for target in differences["targets"].current])
        if {"pattern", "schedule", "state"} & set(differences):
            self._put_rule(aws)

    def _remove(self, aws: Aws, found: Any, *, keep_data: bool) -> Removal:
        self.pause(aws)
        targets = self._targets(aws)
        if targets:
            aws.events.remove_targets(Rule=self.name, Ids=[target["Id"] for target in targets])
        aws.events.delete_rule(Name=self.name)
        return Removal.REMOVED

    def _put_rule(self, aws: Aws) -> None:
        # The call replaces the rule, so a schedule is gone after it. Tags stay: they count only when a rule is created.
        aws.events.put_rule(Name=self.name, EventPattern=json.dumps(self.pattern), State="ENABLED")

    def _put_target(self, aws: Aws, present: list[str]) -> None:
        unwanted = sorted(set(present) - {self.target["Id"]})
        if unwanted:
            aws.events.remove_targets(Rule=self.name, Ids=unwanted)
        target: Any = dict(self.target)
        answer = aws.events.put_targets(Rule=self.name, Targets=[target])
        for failed in answer.get("FailedEntries", []):
            error: Any = {"Code": failed.get("ErrorCode", ""), "Message": failed.get("ErrorMessage", "")}
            raise ClientError({"Error": error}, "PutTargets")


def upload_rule(
    name: str,
    *,
    bucket: str,
    key_pattern: str,
    pipeline_arn: str,
    role_arn: str,
    parameters: Mapping[str, str],
    dead_letters: str,
    tags: Mapping[str, str],
) -> Rule:
    """A rule that starts a pipeline for each new object whose key fits.

    Args:
        name: of the rule.
        bucket: whose objects it watches.
        key_pattern: wildcard pattern of EventBridge, such as ``raw/training/*.csv``.
        pipeline_arn: what it starts.
        role_arn: role with which EventBridge starts it.
        parameters: pipeline parameter → JSON path into the event.
        dead_letters: ARN of the queue for events that could not be delivered.
        tags: name → value.
    """
    return Rule(
        name=name,
        pattern={
            "source": ["aws.s3"],
            "detail-type": ["Object Created"],
            "detail": {"bucket": {"name": [bucket]}, "object": {"key": [{"wildcard": key_pattern}]}},
        },
        target={
            "Id": "pipeline",
            "Arn": pipeline_arn,
            "RoleArn": role_arn,
            "SageMakerPipelineParameters": {
                "PipelineParameterList": [{"Name": field, "Value": path} for field, path in parameters.items()]
            },
            "RetryPolicy": _RETRIES,
            "DeadLetterConfig": {"Arn": dead_letters},
        },
        tags=tags,
        starts=pipeline_arn,
    )


def failure_rule(
    name: str,
    *,
    pipeline_arns: list[str],
    topic_arn: str,
    region: str,
    dead_letters: str,
    tags: Mapping[str, str],
    options: str = "",
) -> Rule:
    """A rule that tells a topic, in a sentence, of each execution that failed.

    Args:
        name: of the rule.
        pipeline_arns: whose executions.
        topic_arn: SNS topic that gets the sentence.
        region: for the sentence.
        dead_letters: ARN of the queue for alarms that could not be delivered.
        tags: name → value.
        options: of the command that tells why, such as ``--env prod``.
    """
    return Rule(
        name=name,
        pattern={
            "source": ["aws.sagemaker"],
            "detail-type": ["SageMaker Model Building Pipeline Execution Status Change"],
            "detail": {"currentPipelineExecutionStatus": ["Failed"], "pipelineArn": sorted(pipeline_arns)},
        },
        target={
            "Id": "alarm",
            "Arn": topic_arn,
            "InputTransformer": {
                "InputPathsMap": {"execution": "$.detail.pipelineExecutionArn", "time": "$.time"},
                "InputTemplate": f'"A pipeline execution in {region} failed at <time>: <execution>. '
                f'Why: {" ".join(["bikeshare watch <execution>", *options.split()])}"',
            },
            "RetryPolicy": _RETRIES,
            "DeadLetterConfig": {"Arn": dead_letters},
        },
        tags=tags,
    )
