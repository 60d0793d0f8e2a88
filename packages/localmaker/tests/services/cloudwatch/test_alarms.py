"""Alarms from the outside: put a metric, and somebody is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from localmaker.daemon import EndpointHandle, running_endpoint

COVERAGE: dict[str, Any] = {
    "Namespace": "bikes",
    "MetricName": "coverage",
    "Dimensions": [{"Name": "profile", "Value": "forecast"}],
    "Statistic": "Average",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 0.9,
    "ComparisonOperator": "LessThanThreshold",
}


class Watched:
    """A metric with an alarm of the same name."""

    def __init__(self, endpoint: EndpointHandle, name: str, **settings: Any) -> None:
        self.name, self.cloudwatch = name, endpoint.client("cloudwatch")
        self.settings = {**COVERAGE, "Namespace": name, **settings}
        self.cloudwatch.put_metric_alarm(AlarmName=name, **self.settings)

    def put(self, value: float, **more: Any) -> None:
        data = {"MetricName": "coverage", "Value": value, "Dimensions": COVERAGE["Dimensions"], **more}
        self.cloudwatch.put_metric_data(Namespace=self.name, MetricData=[data])

    @property
    def alarm(self) -> dict[str, Any]:
        (found,) = self.cloudwatch.describe_alarms(AlarmNames=[self.name])["MetricAlarms"]
        return dict(found)

    @property
    def state(self) -> str:
        return str(self.alarm["StateValue"])

    def history(self, **more: Any) -> list[dict[str, Any]]:
        return list(self.cloudwatch.describe_alarm_history(AlarmName=self.name, **more)["AlarmHistoryItems"])


def topic_with(endpoint: EndpointHandle, name: str, queue: Any) -> str:
    sns = endpoint.client("sns")
    topic: str = sns.create_topic(Name=name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)
    return topic


def test_an_alarm_follows_its_metric_and_tells_topic_and_rule(
    endpoint: EndpointHandle,
    unique: str,
    queue: Any,
    make_queue: Callable[[str], Any],
    eventually: Callable[..., Any],
) -> None:
    topic, told = topic_with(endpoint, unique, queue), make_queue(f"{unique}-events")
    pattern = {"source": ["aws.cloudwatch"], "detail": {"alarmName": [unique]}}
    endpoint.client("events").put_rule(Name=unique, EventPattern=json.dumps(pattern))
    endpoint.client("events").put_targets(Rule=unique, Targets=[{"Id": "q", "Arn": told.arn}])
    watched = Watched(endpoint, unique, AlarmActions=[topic], AlarmDescription="too few")
    assert watched.state == "INSUFFICIENT_DATA"
    watched.put(0.1, Dimensions=[])  # another metric
    watched.put(0.1, Dimensions=[{"Name": "profile", "Value": "parity"}])
    watched.put(0.95)
    eventually(lambda: watched.state == "OK")
    watched.put(0.5)
    eventually(lambda: watched.state == "ALARM")
    assert "less than the threshold (0.9)" in watched.alarm["StateReason"]
    assert json.loads(watched.alarm["StateReasonData"])["recentDatapoints"] == [pytest.approx(0.725)]
    message = json.loads(queue.events(1)[0]["Message"])
    assert (message["AlarmName"], message["OldStateValue"], message["NewStateValue"]) == (unique, "OK", "ALARM")
    assert message["Trigger"]["Dimensions"] == [{"value": "forecast", "name": "profile"}]
    assert message["Region"] == "US East (N. Virginia)"
    events = sorted(told.events(2), key=lambda event: event["detail"]["state"]["timestamp"])
    assert [event["detail"]["state"]["value"] for event in events] == ["OK", "ALARM"]
    last = events[-1]
    assert (last["detail-type"], last["resources"]) == ("CloudWatch Alarm State Change", [watched.alarm["AlarmArn"]])
    assert last["detail"]["previousState"]["value"] == "OK"
    (metric,) = last["detail"]["configuration"]["metrics"]
    assert metric["metricStat"]["metric"]["dimensions"] == {"profile": "forecast"}
    kinds = [item["HistoryItemType"] for item in watched.history()]
    assert sorted(kinds) == ["Action", "ConfigurationUpdate", "StateUpdate", "StateUpdate"]
    assert watched.history(HistoryItemType="Action")[0]["HistorySummary"] == f"Successfully executed action {topic}"
    first = watched.cloudwatch.describe_alarm_history(AlarmName=unique, MaxRecords=1)
    assert first["AlarmHistoryItems"][0]["HistoryItemType"] in ("StateUpdate", "Action")
    assert first["NextToken"]
    oldest = watched.history(ScanBy="TimestampAscending", MaxRecords=1)
    assert oldest[0]["HistoryItemType"] == "ConfigurationUpdate"
    assert watched.history(StartDate=datetime.now(UTC) + timedelta(hours=1)) == []


def test_an_alarm_that_is_put_again_keeps_its_state(
    endpoint: EndpointHandle, unique: str, eventually: Callable[..., Any]
) -> None:
    watched = Watched(endpoint, unique)
    watched.put(0.5)
    eventually(lambda: watched.state == "ALARM")
    watched.cloudwatch.put_metric_alarm(AlarmName=unique, **{**watched.settings, "AlarmDescription": "new"})
    assert (watched.state, watched.alarm["AlarmDescription"]) == ("ALARM", "new")
    watched.cloudwatch.put_metric_alarm(AlarmName=unique, **{**watched.settings, "Threshold": 0.4})
    eventually(lambda: watched.state == "OK")


def test_disabled_actions_and_states_that_are_set(
    endpoint: EndpointHandle, unique: str, queue: Any, eventually: Callable[..., Any]
) -> None:
    topic = topic_with(endpoint, unique, queue)
    watched = Watched(endpoint, unique, OKActions=[topic], InsufficientDataActions=[topic], Period=3600)
    watched.cloudwatch.disable_alarm_actions(AlarmNames=[unique])
    watched.cloudwatch.set_alarm_state(AlarmName=unique, StateValue="ALARM", StateReason="a drill")
    watched.cloudwatch.set_alarm_state(AlarmName=unique, StateValue="OK", StateReason="a drill")
    watched.cloudwatch.enable_alarm_actions(AlarmNames=[unique])
    watched.cloudwatch.set_alarm_state(AlarmName=unique, StateValue="INSUFFICIENT_DATA", StateReason="a test")
    told = json.loads(queue.events(1)[0]["Message"])
    assert (told["OldStateValue"], told["NewStateValue"], told["NewStateReason"]) == (
        "OK",
        "INSUFFICIENT_DATA",
        "a test",
    )
    watched.put(1.0)
    eventually(lambda: watched.state == "OK")
    assert json.loads(queue.events(1)[0]["Message"])["NewStateValue"] == "OK"


def test_what_is_stored_only(endpoint: EndpointHandle, unique: str) -> None:
    cloudwatch = endpoint.client("cloudwatch")
    stat = {"Metric": {"Namespace": unique, "MetricName": "m"}, "Period": 60, "Stat": "Sum"}
    queries = [{"Id": "a", "MetricStat": stat, "ReturnData": False}, {"Id": "b", "Expression": "a * 2"}]
    common = {"EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold", "Threshold": 0.0}
    cloudwatch.put_metric_alarm(AlarmName=unique, Metrics=queries, **common)
    percentile = {"Namespace": unique, "MetricName": "m", "ExtendedStatistic": "p90", "Period": 60, **common}
    cloudwatch.put_metric_alarm(AlarmName=f"{unique}-p", **percentile)
    cloudwatch.put_metric_data(Namespace=unique, MetricData=[{"MetricName": "m", "Value": 1.0}])
    watched = Watched(endpoint, f"{unique}-w", TreatMissingData="notBreaching")
    deadline = datetime.now(UTC) + timedelta(seconds=30)
    while watched.state != "OK" and datetime.now(UTC) < deadline:
        pass  # by then the others would have been evaluated, too
    found = cloudwatch.describe_alarms(AlarmNamePrefix=unique)["MetricAlarms"]
    states = {alarm["AlarmName"].removeprefix(unique): alarm["StateValue"] for alarm in found}
    assert states == {"": "INSUFFICIENT_DATA", "-p": "INSUFFICIENT_DATA", "-w": "OK"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"Period": 45}, "Period must be"),
        ({"DatapointsToAlarm": 2}, "DatapointsToAlarm"),
        ({"TreatMissingData": "maybe"}, "TreatMissingData"),
    ],
)
def test_what_is_refused(endpoint: EndpointHandle, unique: str, wrong: dict[str, Any], message: str) -> None:
    watched = Watched(endpoint, unique)
    with pytest.raises(ClientError, match=message):
        watched.cloudwatch.put_metric_alarm(AlarmName=unique, **{**watched.settings, **wrong})
    assert watched.alarm["Period"] == 60
    assert "TreatMissingData" not in watched.alarm or watched.alarm["TreatMissingData"] != "maybe"


def test_time_and_restarts(tmp_path: Path, eventually: Callable[..., Any]) -> None:
    with running_endpoint(tmp_path) as first:
        watched = Watched(first, "restarted")
        watched.put(0.5)
        eventually(lambda: watched.state == "ALARM")
        later = datetime.now(UTC) + timedelta(minutes=30)
        first.move_clock(later.strftime("%Y-%m-%dT%H:%M:%SZ"))
        assert watched.state == "INSUFFICIENT_DATA"
        assert len(watched.history(HistoryItemType="StateUpdate")) == 2
    with running_endpoint(tmp_path) as second:
        (alarm,) = second.client("cloudwatch").describe_alarms(AlarmNames=["restarted"])["MetricAlarms"]
        found = second.client("cloudwatch")
        # The clock is the machine's again, and the datum still in the last three minutes, or gone.
        assert alarm["StateValue"] in ("ALARM", "INSUFFICIENT_DATA")
        found.put_metric_data(
            Namespace="restarted",
            MetricData=[{"MetricName": "coverage", "Value": 1.0, "Dimensions": COVERAGE["Dimensions"]}] * 20,
        )
        eventually(lambda: found.describe_alarms(StateValue="OK")["MetricAlarms"])


def test_under_enforced_iam_rights_and_the_policy_of_the_topic_decide(
    tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    with running_endpoint(tmp_path, enforce_iam=True) as endpoint:
        iam, sqs, sns = (endpoint.client(service) for service in ("iam", "sqs", "sns"))
        url = sqs.create_queue(QueueName="told")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        topics = [sns.create_topic(Name=name)["TopicArn"] for name in ("closed", "open")]
        for topic in topics:
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        for topic, effect in zip(topics, ("Deny", "Allow"), strict=True):
            statement = {
                "Effect": effect,
                "Principal": {"Service": "cloudwatch.amazonaws.com"},
                "Action": "sns:Publish",
                "Resource": topic,
            }
            policy = {"Version": "2012-10-17", "Statement": [statement]}
            sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps(policy))
        watched = Watched(endpoint, "guarded", AlarmActions=topics)
        watched.put(0.5)
        eventually(lambda: watched.state == "ALARM")
        (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
        assert json.loads(message["Body"])["TopicArn"] == topics[1]
        assert not sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2).get("Messages", [])[1:]
        iam.create_user(UserName="nobody")
        key = iam.create_access_key(UserName="nobody")["AccessKey"]
        client = boto3.client(
            "cloudwatch",
            endpoint_url=endpoint.url,
            region_name="us-east-1",
            aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
        )
        with pytest.raises(ClientError, match="cloudwatch:DescribeAlarmHistory"):
            client.describe_alarm_history(AlarmName="guarded")
        with pytest.raises(ClientError, match="cloudwatch:PutMetricAlarm"):
            client.put_metric_alarm(AlarmName="own", **COVERAGE)
        calls = ["PutMetricAlarm", "DescribeAlarms", "DescribeAlarmHistory", "DeleteAlarms"]
        arn = "arn:aws:cloudwatch:us-east-1:123456789012:alarm:own"
        allowed = {"Effect": "Allow", "Action": [f"cloudwatch:{call}" for call in calls], "Resource": arn}
        document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_user_policy(UserName="nobody", PolicyName="own", PolicyDocument=document)
        client.put_metric_alarm(AlarmName="own", **COVERAGE)
        assert client.describe_alarms(AlarmNames=["own"])["MetricAlarms"]
        assert client.describe_alarm_history(AlarmName="own")["AlarmHistoryItems"]
        with pytest.raises(ClientError, match="alarm:guarded"):
            client.delete_alarms(AlarmNames=["own", "guarded"])
        client.delete_alarms(AlarmNames=["own"])
