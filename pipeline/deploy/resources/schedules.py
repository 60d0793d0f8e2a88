"""The schedule that starts the training pipeline without an upload, in a group of its own, which carries the tags."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.aws.clients import Aws
from pipeline.aws.not_found import unless_missing
from pipeline.deploy.engine import tags
from pipeline.deploy.engine.resource import Difference, Removal, Resource, State
from pipeline.deploy.resources.pipelines import Pipeline
from pipeline.deploy.resources.rules import delivery
from pipeline.settings.contract import (
    INPUT_BUCKET,
    INPUT_KEY,
    INPUT_VERSION,
    SCHEDULED_FOLDER,
    SCHEDULED_VERSION,
    TRAIN_ON,
)
from pipeline.settings.environment import Settings

#: Scheduler puts the time there for which a call is due, such as 2026-12-01T03:00:00Z.
_DUE = "<aws.scheduler.scheduled-time>"
_EXACTLY: Any = {"Mode": "OFF"}  # no flexible time window


@dataclass(frozen=True)
class Schedule(Resource):
    """One schedule of EventBridge Scheduler, and the group of the same name.

    Without an expression neither is created. What is there already rests then, since deployment removes nothing.
    """

    kind = "schedule"
    tag_api = tags.SCHEDULER
    tag_member = "Arn"
    expression: str | None
    timezone: str
    target: Mapping[str, Any]
    starts: str  #: ARN of the pipeline.

    @property
    def is_wanted(self) -> bool:
        """Say whether there is to be one."""
        return self.expression is not None

    def triggers(self, other: Resource) -> bool:
        """Say whether it starts the other one."""
        return self.is_wanted and isinstance(other, Pipeline) and other.arn == self.starts

    def pause(self, aws: Aws) -> None:
        """Disable the schedule as it is."""
        found = aws.scheduler.get_schedule(Name=self.name, GroupName=self.name)
        kept = {name: found[name] for name in self._request() if name in found}
        aws.scheduler.update_schedule(**{**kept, "State": "DISABLED"})

    def desired(self) -> State:
        """Return its fields; only its state counts where there is to be no schedule."""
        return super().desired() if self.is_wanted else {"state": "DISABLED"}

    def _desired(self) -> State:
        return {
            "expression": self.expression,
            "time zone": self.timezone,
            "state": "ENABLED",
            "window": _EXACTLY,
            "target": dict(self.target),
            "period": [None, None],
        }

    def _describe(self, aws: Aws) -> Any:
        return aws.scheduler.get_schedule_group(Name=self.name)

    def _state(self, aws: Aws, found: Any) -> State:
        answer = unless_missing(lambda: aws.scheduler.get_schedule(Name=self.name, GroupName=self.name)) or {}
        return {
            "expression": answer.get("ScheduleExpression"),
            "time zone": answer.get("ScheduleExpressionTimezone"),
            "state": answer.get("State", "DISABLED"),
            "window": answer.get("FlexibleTimeWindow"),
            "target": answer.get("Target"),
            "period": [str(answer[name]) if answer.get(name) else None for name in ("StartDate", "EndDate")],
        }

    def create(self, aws: Aws) -> None:
        """Create the group, then the schedule."""
        aws.scheduler.create_schedule_group(Name=self.name, Tags=tags.tag_list(self.tags))
        aws.scheduler.create_schedule(**self._request())

    def _update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        if not self.is_wanted:
            self.pause(aws)
        elif unless_missing(lambda: aws.scheduler.update_schedule(**self._request())) is None:
            aws.scheduler.create_schedule(**self._request())

    def _remove(self, aws: Aws, found: Any, *, keep_data: bool) -> Removal:
        # Its schedules would go with the group, but later: this one is to start nothing any more.
        unless_missing(lambda: aws.scheduler.delete_schedule(Name=self.name, GroupName=self.name))
        aws.scheduler.delete_schedule_group(Name=self.name)
        return Removal.REMOVED

    def _request(self) -> Any:
        return {
            "Name": self.name,
            "GroupName": self.name,
            "ScheduleExpression": self.expression,
            "ScheduleExpressionTimezone": self.timezone,
            "FlexibleTimeWindow": _EXACTLY,
            "State": "ENABLED",
            "Target": dict(self.target),
        }


def training_schedule(settings: Settings) -> Schedule:
    """Return the schedule that trains on what is in the Feature Store.

    Scheduler calls at least once. Its calls for one time have the same token, with which SageMaker starts one
    execution; should it start two, they claim the same time.
    """
    name, pipeline = settings.schedule_name, settings.training_pipeline_name
    parameters = {
        INPUT_BUCKET: settings.raw_bucket,
        INPUT_KEY: f"{SCHEDULED_FOLDER}{name}/{_DUE}",
        INPUT_VERSION: SCHEDULED_VERSION,
        TRAIN_ON: "history",
    }
    call = {
        "PipelineName": pipeline,
        "PipelineParameters": [{"Name": key, "Value": value} for key, value in parameters.items()],
        "ClientRequestToken": f"scheduled-execution-{name}-{_DUE}",
    }
    return Schedule(
        name,
        expression=settings.schedule.expression,
        timezone=settings.schedule.timezone,
        target={
            "Arn": f"arn:{settings.partition}:scheduler:::aws-sdk:sagemaker:startPipelineExecution",
            "RoleArn": settings.role_arn(settings.scheduler_role_name),
            "Input": json.dumps(call),
            **delivery(settings),
        },
        starts=settings.pipeline_arn(pipeline),
    )
