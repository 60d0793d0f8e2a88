"""Retry delays, cache keys, names, parameters, records: the small pure parts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localmaker.services.sagemaker.pipelines.naming import (
    execution_arn,
    job_name,
    parse_arn,
    pipeline_arn,
    pipeline_name,
)
from localmaker.services.sagemaker.pipelines.records import (
    json_ready,
)
from pipedef.language.arguments import fit, request_shape
from pipedef.language.caching import cache_key, parse_duration
from pipedef.language.model import StepType
from pipedef.language.retrying import (
    ExceptionType,
    classify_job_failure,
    classify_refusal,
    parse_retry_policy,
    retry_delay,
)
from pipedef.shapes import broken_constraints

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
INTERNAL = ExceptionType.JOB_INTERNAL_ERROR


def test_retry_delays_grow_until_the_last_attempt():
    policy = parse_retry_policy(
        {"ExceptionType": [str(INTERNAL)], "IntervalSeconds": 10, "BackoffRate": 2.0, "MaxAttempts": 3}
    )
    assert [retry_delay([policy], INTERNAL, done, 0) for done in range(4)] == [10, 20, 40, None]
    assert retry_delay([policy], ExceptionType.CAPACITY_ERROR, 0, 0) is None
    assert retry_delay([policy], None, 0, 0) is None
    assert retry_delay([policy], ExceptionType.THROTTLING, 0, 0) == 1


def test_a_policy_expires():
    policy = parse_retry_policy({"ExceptionType": ["Step.THROTTLING"], "IntervalSeconds": 30, "ExpireAfterMin": 1})
    assert retry_delay([policy], ExceptionType.THROTTLING, 0, 29) == 30
    assert retry_delay([policy], ExceptionType.THROTTLING, 0, 31) is None


@settings(deadline=None)
@given(st.integers(0, 19), st.floats(0, 43_200), st.floats(1, 10))
def test_a_delay_never_exceeds_awss_longest_interval(done, interval, rate):
    policy = parse_retry_policy(
        {"ExceptionType": [str(INTERNAL)], "IntervalSeconds": interval, "BackoffRate": rate, "MaxAttempts": 20}
    )
    assert 0 <= retry_delay([policy], INTERNAL, done, 0) <= 43_200


@pytest.mark.parametrize(
    "policy",
    [
        [],
        {},
        {"ExceptionType": []},
        {"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 21},
        {"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": True},
        {"ExceptionType": ["Step.THROTTLING"], "IntervalSeconds": -1},
        {"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 1, "ExpireAfterMin": 1},
        {"ExceptionType": ["Step.THROTTLING"], "Extra": 1},
    ],
)
def test_bad_retry_policies_are_refused(policy):
    with pytest.raises(ValueError, match=r"policy|ExceptionType"):
        parse_retry_policy(policy)


def test_failures_are_classified():
    assert classify_refusal("ThrottlingException", 400) is ExceptionType.THROTTLING
    assert classify_refusal("ResourceLimitExceeded", 400) is ExceptionType.RESOURCE_LIMIT
    assert classify_refusal("Anything", 503) is ExceptionType.SERVICE_FAULT
    assert classify_refusal("ValidationException", 400) is None
    assert classify_job_failure("InternalServerError: sorry") is INTERNAL
    assert classify_job_failure("CapacityError: none left") is ExceptionType.CAPACITY_ERROR
    assert classify_job_failure("AlgorithmError: InternalServerError") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("P30D", timedelta(days=30)),
        ("p4dt12h", timedelta(days=4, hours=12)),
        ("T12H", timedelta(hours=12)),
        ("30dT5h", timedelta(days=30, hours=5)),
        ("T16m", timedelta(minutes=16)),
        ("P1M", timedelta(days=30)),
        ("5y", timedelta(days=5 * 365)),
        ("P2W", timedelta(weeks=2)),
        ("", None),
        ("P", None),
        ("PT", None),
        ("12", None),
        ("soon", None),
    ],
)
def test_durations(text, expected):
    assert parse_duration(text) == expected


def test_only_the_counted_arguments_make_the_cache_key():
    arguments = {
        "AppSpecification": {"ImageUri": "i", "ContainerArguments": ["a"]},
        "Environment": {"A": "1"},
        "ProcessingInputs": [],
        "ProcessingOutputConfig": {"Outputs": []},
        "RoleArn": "r",
    }
    key = cache_key(StepType.PROCESSING, arguments)
    same = {**arguments, "ProcessingOutputConfig": {"Outputs": [1]}, "RoleArn": "other", "Tags": []}
    assert cache_key(StepType.PROCESSING, same) == key
    assert cache_key(StepType.PROCESSING, dict(reversed(arguments.items()))) == key
    for name in ("AppSpecification", "Environment", "ProcessingInputs"):
        assert cache_key(StepType.PROCESSING, {**arguments, name: "changed"}) != key
    assert cache_key(StepType.TRAINING, arguments) != key
    assert cache_key(StepType.MODEL, arguments) is None


@settings(deadline=None)
@given(st.text("abcXYZ019-_", min_size=1, max_size=64), st.none() | st.text("abcXYZ019-_", min_size=1, max_size=100))
def test_job_names_fit_awss_pattern(step, prefix):
    name = job_name("abcdef123456", step, "AbCdEf1234", prefix)
    for member in ("ModelName", "TransformJobName"):
        shape = request_shape(StepType.TRANSFORM).members[member]
        assert list(broken_constraints(shape.type_name, shape.metadata, name)) == []
    assert len(name) <= 63
    assert name.endswith("-AbCdEf1234")
    assert "abcdef123456" in name
    assert "--" not in name
    assert not name.startswith("-")


def test_arns_are_read_back():
    arn = pipeline_arn("eu-west-1", "123456789012", "My-Pipe")
    run = execution_arn(arn, "abc123abc123")
    assert (parse_arn(arn).name, parse_arn(arn).execution) == ("my-pipe", None)
    assert (parse_arn(run).name, parse_arn(run).execution) == ("my-pipe", "abc123abc123")
    assert parse_arn("My-Pipe") is None
    assert pipeline_name(arn) == "my-pipe"
    assert pipeline_name("My-Pipe") == "My-Pipe"


def test_values_are_fitted_to_the_request():
    request = {
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": "2", "VolumeSizeInGB": 30.0}},
        "Environment": {"N": 3, "F": 0.5, "B": False},
        "NetworkConfig": {"EnableNetworkIsolation": "true"},
        "Unknown": 1,
    }
    assert fit(request, request_shape(StepType.PROCESSING)) == {
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 2, "VolumeSizeInGB": 30}},
        "Environment": {"N": "3", "F": "0.5", "B": "false"},
        "NetworkConfig": {"EnableNetworkIsolation": True},
        "Unknown": 1,
    }


def test_responses_become_json():
    response = {"Time": NOW, "List": [{"Time": datetime(2026, 1, 1)}], "ResponseMetadata": {}, "N": 1}  # noqa: DTZ001
    assert json_ready(response) == {
        "Time": "2026-01-02T03:04:05.678000+00:00",
        "List": [{"Time": "2026-01-01T00:00:00+00:00"}],
        "N": 1,
    }
