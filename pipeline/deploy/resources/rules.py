"""EventBridge rules with one target each: what starts pipelines, alarms people and calls functions."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from analysis.runtime.project import NAME
from pipeline.aws.clients import Aws
from pipeline.deploy.engine import tags
from pipeline.deploy.engine.resource import Difference, Removal, Resource, State
from pipeline.deploy.resources.pipelines import Pipeline
from pipeline.settings.contract import Flow, Function, upload_patterns
from pipeline.settings.environment import Settings

#: Pipeline parameter → its path in S3's "Object Created" event.
_TRIGGER_PARAMETERS = {
    "InputBucket": "$.detail.bucket.name",
    "InputKey": "$.detail.object.key",
    "InputVersionId": "$.detail.object.version-id",
}


@dataclass(frozen=True)
class Rule(Resource):
    """One rule of the default event bus."""

    kind = "rule"
    tag_api = tags.EVENTS
    tag_member = "Arn"
    pattern: Mapping[str, Any]  #: Of the events that it is for; empty where it has a schedule.
    target: Mapping[str, Any]  #: What gets the events, in the form of PutTargets.
    starts: str | None = None  #: ARN of the pipeline that the rule starts; None for a rule that starts none.
    schedule: str | None = None

    def triggers(self, other: Resource) -> bool:
        """Say whether it starts the other one."""
        return isinstance(other, Pipeline) and other.arn == self.starts

    def pause(self, aws: Aws) -> None:
        """Disable the rule."""
        aws.events.disable_rule(Name=self.name)

    def _desired(self) -> State:
        return {
            "pattern": dict(self.pattern),
            "schedule": self.schedule,
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

    def _targets(self, aws: Aws) -> list[dict[str, Any]]:
        pages = aws.events.get_paginator("list_targets_by_rule").paginate(Rule=self.name)
        return sorted((dict(target) for page in pages for target in page["Targets"]), key=lambda item: item["Id"])

    def create(self, aws: Aws) -> None:
        """Create rule and target. The rule is enabled last, so that it never fires without a target."""
        aws.events.put_rule(Name=self.name, State="DISABLED", Tags=tags.tag_list(self.tags), **self._when())
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
        # The call replaces the rule, so what it does not name is gone after it, but for the tags: they count only when
        # a rule is created.
        aws.events.put_rule(Name=self.name, State="ENABLED", **self._when())

    def _when(self) -> Any:
        return {"ScheduleExpression": self.schedule} if self.schedule else {"EventPattern": json.dumps(self.pattern)}

    def _put_target(self, aws: Aws, present: list[str]) -> None:
        unwanted = sorted(set(present) - {self.target["Id"]})
        if unwanted:
            aws.events.remove_targets(Rule=self.name, Ids=unwanted)
        target: Any = dict(self.target)
        answer = aws.events.put_targets(Rule=self.name, Targets=[target])
        for failed in answer.get("FailedEntries", []):
            error: Any = {"Code": failed.get("ErrorCode", ""), "Message": failed.get("ErrorMessage", "")}
            raise ClientError({"Error": error}, "PutTargets")


def upload_rule(settings: Settings, flow: Flow) -> Rule:
    """Return the rule that starts a flow's pipeline for each new object whose key fits."""
    pipeline_arn = settings.pipeline_arn(settings.pipeline_name(flow))
    keys = [{"wildcard": pattern} for pattern in upload_patterns(flow)]
    parameters = [{"Name": name, "Value": path} for name, path in _TRIGGER_PARAMETERS.items()]
    return Rule(
        name=settings.rule_name(flow),
        pattern={
            "source": ["aws.s3"],
            "detail-type": ["Object Created"],
            # Only versions can be told apart; deployment makes the bucket keep them.
            "detail": {
                "bucket": {"name": [settings.raw_bucket]},
                "object": {"key": keys, "version-id": [{"exists": True}]},
            },
        },
        target={
            "Id": "pipeline",
            "Arn": pipeline_arn,
            "RoleArn": settings.role_arn(settings.events_role_name),
            "SageMakerPipelineParameters": {"PipelineParameterList": parameters},
            **delivery(settings),
        },
        starts=pipeline_arn,
    )


def failure_rule(settings: Settings, flows: Iterable[Flow]) -> Rule:
    """Return the rule that tells the alarm topic, in a sentence, of each execution that failed."""
    arns = sorted(settings.pipeline_arn(settings.pipeline_name(flow)) for flow in flows)
    # Not settings.options: a path would differ from one machine that deploys to the next.
    why = f"{NAME} watch <execution> --env {settings.environment}"
    sentence = f"A pipeline execution in {settings.region} failed at <time>: <execution>. Why: {why}"
    return Rule(
        name=settings.alarm_rule_name,
        pattern={
            "source": ["aws.sagemaker"],
            "detail-type": ["SageMaker Model Building Pipeline Execution Status Change"],
            "detail": {"currentPipelineExecutionStatus": ["Failed"], "pipelineArn": arns},
        },
        target={
            "Id": "alarm",
            "Arn": settings.arn("sns", settings.alarm_topic_name),
            "InputTransformer": {
                "InputPathsMap": {"execution": "$.detail.pipelineExecutionArn", "time": "$.time"},
                "InputTemplate": f'"{sentence}"',
            },
            **delivery(settings),
        },
    )


def sweep_rule(settings: Settings) -> Rule:
    """Return the rule that has models deleted, once an hour, that no execution is going to use."""
    event = {
        "pipeline": list(settings.pipeline_names),
        "project": settings.system,
        "environment": settings.environment,
        "keep-hours": settings.running.keep_models_hours,
    }
    return Rule(
        name=settings.sweep_rule_name,
        pattern={},
        schedule="rate(1 hour)",
        target={
            "Id": "sweep",
            "Arn": settings.function_arn(Function.SWEEP),
            "Input": json.dumps(event),
            **delivery(settings),
        },
    )


def follow_rule(settings: Settings) -> Rule:
    """Return the rule that has a function follow what becomes of each registered version of the model."""
    event = {
        "model-package-group-name": settings.model_package_group_name,
        "model-package-arn": "<version>",
        "tag": [f"{key}={value}" for key, value in settings.resource_tags().items()],
    }
    return Rule(
        name=settings.follow_rule_name,
        pattern={
            "source": ["aws.sagemaker"],
            "detail-type": ["SageMaker Model Package State Change"],
            "detail": {"ModelPackageGroupName": [settings.model_package_group_name]},
        },
        target={
            "Id": "follow",
            "Arn": settings.function_arn(Function.FOLLOW_MODEL),
            "InputTransformer": {
                "InputPathsMap": {"version": "$.detail.ModelPackageArn"},
                "InputTemplate": json.dumps(event),
            },
            **delivery(settings),
        },
    )


def delivery(settings: Settings) -> dict[str, Any]:
    """Return how often a delivery is tried (for a day, EventBridge's own maximum), and where it goes after that."""
    return {
        "RetryPolicy": {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400},
        "DeadLetterConfig": {"Arn": settings.arn("sqs", settings.dead_letter_queue_name)},
    }
