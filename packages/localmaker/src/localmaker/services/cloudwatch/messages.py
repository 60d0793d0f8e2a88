"""What an alarm tells others when its state changes: an EventBridge event, and a message for its topics."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import botocore.session

from localmaker.services.cloudwatch.evaluation import stamp


@dataclass(frozen=True)
class State:
    """A state of an alarm, since when, and why."""

    value: str
    reason: str
    data: str
    moment: datetime


def alarm_event(alarm: Any, before: State, after: State) -> dict[str, Any]:
    """Return the event "CloudWatch Alarm State Change"."""
    return {
        "id": str(uuid.uuid4()),
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "region": alarm.region_name,
        "time": after.moment,
        "resources": [alarm.alarm_arn],
        "detail": {
            "alarmName": alarm.name,
            "state": _state(after),
            "previousState": _state(before),
            "configuration": _configuration(alarm),
        },
    }


def _state(state: State) -> dict[str, Any]:
    data = {} if state.data in (None, "", "{}") else {"reasonData": state.data}
    return {"value": state.value, "reason": state.reason, **data, "timestamp": stamp(state.moment)}


def _configuration(alarm: Any) -> dict[str, Any]:
    described = {"description": alarm.description} if alarm.description else {}
    if not alarm.metric_name:
        return described
    metric = {
        "namespace": alarm.namespace,
        "name": alarm.metric_name,
        "dimensions": {one.name: one.value for one in alarm.dimensions},
    }
    stat = {"metric": metric, "period": alarm.period, "stat": alarm.statistic or alarm.extended_statistic}
    identifier = str(uuid.uuid5(uuid.NAMESPACE_URL, alarm.alarm_arn))
    return {**described, "metrics": [{"id": identifier, "metricStat": stat, "returnData": True}]}


def topic_message(alarm: Any, before: State, after: State) -> tuple[str, str]:
    """Return subject and text of the message that a topic gets."""
    region = _region_title(alarm.region_name)
    text = {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": alarm.alarm_arn.split(":")[4],
        "AlarmConfigurationUpdatedTimestamp": stamp(alarm.configuration_updated_timestamp),
        "NewStateValue": after.value,
        "NewStateReason": after.reason,
        "StateChangeTime": stamp(after.moment),
        "Region": region,
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before.value,
        "OKActions": alarm.ok_actions,
        "AlarmActions": alarm.alarm_actions,
        "InsufficientDataActions": alarm.insufficient_data_actions,
        "Trigger": {
            "MetricName": alarm.metric_name,
            "Namespace": alarm.namespace,
            "StatisticType": "Statistic",
            "Statistic": (alarm.statistic or "").upper(),
            "Unit": alarm.unit,
            "Dimensions": [{"value": one.value, "name": one.name} for one in alarm.dimensions],
            "Period": alarm.period,
            "EvaluationPeriods": alarm.evaluation_periods,
            **({"DatapointsToAlarm": alarm.datapoints_to_alarm} if alarm.datapoints_to_alarm else {}),
            "ComparisonOperator": alarm.comparison_operator,
            "Threshold": alarm.threshold,
            "TreatMissingData": alarm.treat_missing_data or "",
            "EvaluateLowSampleCountPercentile": alarm.evaluate_low_sample_count_percentile or "",
        },
    }
    return f'{after.value}: "{alarm.name}" in {region}'[:100], json.dumps(text)


@cache
def _region_title(name: str) -> str:
    """Return the name of a region that people read, such as ``US East (N. Virginia)``."""
    partitions = botocore.session.get_session().get_data("endpoints")["partitions"]
    return next((str(one["regions"][name]["description"]) for one in partitions if name in one["regions"]), name)
