"""CloudWatch alarms: people hear of intervals that cover too few outcomes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.aws.clients import Aws
from pipeline.deploy.engine import tags
from pipeline.deploy.engine.resource import Difference, Removal, Resource, State
from pipeline.settings.contract import Flow
from pipeline.settings.environment import Settings

#: Seconds. The state changes within minutes of a figure; between two figures it stays what it is, however long.
_PERIOD = 300
#: Fields of ours → members of PutMetricAlarm and of what DescribeAlarms answers.
_MEMBERS = {
    "description": "AlarmDescription",
    "enabled": "ActionsEnabled",
    "actions": "AlarmActions",
    "back to normal": "OKActions",
    "metric": "MetricName",
    "namespace": "Namespace",
    "dimensions": "Dimensions",
    "statistic": "Statistic",
    "period": "Period",
    "periods": "EvaluationPeriods",
    "comparison": "ComparisonOperator",
    "threshold": "Threshold",
    "missing data": "TreatMissingData",
}


@dataclass(frozen=True)
class Alarm(Resource):
    """One alarm on the smallest value of a metric.

    Without a threshold none is created. What is there already tells nobody any more then, since deployment removes
    nothing.
    """

    kind = "alarm"
    tag_api = tags.CLOUDWATCH
    tag_member = "AlarmArn"
    description: str
    namespace: str
    metric: str
    dimensions: Mapping[str, str]
    threshold: float | None  #: A lower value raises it.
    topic: str  #: ARN of the topic that is told.

    @property
    def is_wanted(self) -> bool:
        """Say whether there is to be one."""
        return self.threshold is not None

    def desired(self) -> State:
        """Return its fields; only that it tells nobody counts where there is to be none."""
        return super().desired() if self.is_wanted else {"enabled": False}

    def _desired(self) -> State:
        return {
            "description": self.description,
            "enabled": True,
            "actions": [self.topic],
            "back to normal": [self.topic],
            "metric": self.metric,
            "namespace": self.namespace,
            "dimensions": [{"Name": name, "Value": value} for name, value in self.dimensions.items()],
            "statistic": "Minimum",
            "period": _PERIOD,
            "periods": 1,
            "comparison": "LessThanThreshold",
            "threshold": self.threshold,
            "missing data": "ignore",
        }

    def _describe(self, aws: Aws) -> Any:
        # Not of composite alarms, which take a permission on all alarms.
        found = aws.cloudwatch.describe_alarms(AlarmNames=[self.name], AlarmTypes=["MetricAlarm"])["MetricAlarms"]
        return found[0] if found else None

    def _state(self, aws: Aws, found: Any) -> State:
        return {field: found.get(member) for field, member in _MEMBERS.items()}

    def create(self, aws: Aws) -> None:
        """Create the alarm."""
        aws.cloudwatch.put_metric_alarm(**self._request(self._desired()), Tags=tags.tag_list(self.tags))

    def _update(self, aws: Aws, differences: Mapping[str, Difference]) -> None:
        fields = dict(self._desired())
        if not self.is_wanted:
            fields = {**self._state(aws, self._describe(aws)), "enabled": False}
        # The call replaces the alarm, but for its tags and its state.
        aws.cloudwatch.put_metric_alarm(**self._request(fields))

    def _remove(self, aws: Aws, found: Any, *, keep_data: bool) -> Removal:
        aws.cloudwatch.delete_alarms(AlarmNames=[self.name])
        return Removal.REMOVED

    def _request(self, fields: State) -> dict[str, Any]:
        return {"AlarmName": self.name, **{member: fields[field] for field, member in _MEMBERS.items()}}


def coverage_alarm(settings: Settings, flow: Flow) -> Alarm:
    """Return the alarm on the coverage of the outcomes that a pipeline brings."""
    least, rows = settings.quality.coverage_alarm, settings.quality.coverage_alarm_rows
    return Alarm(
        settings.coverage_alarm_name(flow),
        description=f"Prediction intervals of 95 % have covered less of the newest outcomes, {rows} or more, than "
        f"quality.coverage_alarm. See: {settings.command('predictions score')}",
        namespace=settings.prefix,
        metric="RealisedCoverage",
        dimensions={"Pipeline": settings.pipeline_name(flow)},
        threshold=least,
        topic=settings.arn("sns", settings.alarm_topic_name),
    )
