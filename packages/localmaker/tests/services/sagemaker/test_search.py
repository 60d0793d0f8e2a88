"""Search over training jobs, the registry, feature groups, pipelines and executions."""

from __future__ import annotations

import json

import pytest

from localmaker.services.sagemaker.search_expressions import matches

ROLE = "arn:aws:iam::123456789012:role/r"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/no-such-image:1"
FAIL = {"Version": "2020-12-01", "Parameters": [{"Name": "N", "Type": "Integer", "DefaultValue": 3}]}
FAIL["Steps"] = [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "no"}}]


def train(sagemaker, name, **changes):
    request = {
        "TrainingJobName": name,
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/out"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        **changes,
    }
    sagemaker.create_training_job(**request)


def test_training_jobs_are_found_by_name_hyperparameter_and_tag(endpoint, unique, eventually):
    sagemaker = endpoint.client("sagemaker")
    for letter, alpha in (("a", "0.5"), ("b", "10"), ("c", "2")):
        tags = [{"Key": "team", "Value": letter}]
        train(sagemaker, f"{unique}-{letter}", HyperParameters={"alpha": alpha}, Tags=tags)

    def found(*filters, **options):
        named = {"Name": "TrainingJobName", "Operator": "Contains", "Value": unique}
        expression = {"Filters": [named, *filters]}
        pages = sagemaker.get_paginator("search").paginate(
            Resource="TrainingJob", SearchExpression=expression, SortBy="TrainingJobName", **options
        )
        return [[one["TrainingJob"]["TrainingJobName"][-1] for one in page["Results"]] for page in pages]

    assert found() == [["c", "b", "a"]]
    assert found(SortOrder="Ascending", MaxResults=2) == [["a", "b"], ["c"]]
    assert found({"Name": "HyperParameters.alpha", "Operator": "GreaterThan", "Value": "1.5"}) == [["c", "b"]]
    assert found({"Name": "Tags.team", "Operator": "In", "Value": "a, c"}) == [["c", "a"]]
    failed = {"Name": "TrainingJobStatus", "Value": "Failed"}
    assert eventually(lambda: found(failed) == [["c", "b", "a"]])
    (one,) = sagemaker.search(
        Resource="TrainingJob", SearchExpression={"Filters": [{"Name": "TrainingJobName", "Value": f"{unique}-a"}]}
    )["Results"]
    assert one["TrainingJob"]["Tags"] == [{"Key": "team", "Value": "a"}]
    assert one["TrainingJob"]["FailureReason"].startswith("ClientError: ")


def test_pipelines_executions_packages_and_feature_groups_are_found(endpoint, unique):
    sagemaker = endpoint.client("sagemaker")
    arn = sagemaker.create_pipeline(PipelineName=unique, PipelineDefinition=json.dumps(FAIL), RoleArn=ROLE)[
        "PipelineArn"
    ]
    execution = sagemaker.start_pipeline_execution(PipelineName=unique)["PipelineExecutionArn"]
    sagemaker.create_model_package_group(ModelPackageGroupName=unique)
    for _ in range(2):
        sagemaker.create_model_package(ModelPackageGroupName=unique)
    feature = {"FeatureName": "id", "FeatureType": "String"}
    sagemaker.create_feature_group(
        FeatureGroupName=unique,
        RecordIdentifierFeatureName="id",
        EventTimeFeatureName="at",
        FeatureDefinitions=[feature, {**feature, "FeatureName": "at"}],
        OnlineStoreConfig={"EnableOnlineStore": True},
    )
    sagemaker.create_model_card(ModelCardName=unique, Content="{}", ModelCardStatus="Draft")

    def found(resource, name, value):
        expression = {"Filters": [{"Name": name, "Value": value}]}
        return [one[resource] for one in sagemaker.search(Resource=resource, SearchExpression=expression)["Results"]]

    assert [one["PipelineStatus"] for one in found("Pipeline", "PipelineName", unique)] == ["Active"]
    (ran,) = found("PipelineExecution", "PipelineArn", arn)
    assert ran["PipelineExecutionArn"] == execution
    assert ran["PipelineParameters"] == [{"Name": "N", "Value": "3"}]
    versions = [one["ModelPackageVersion"] for one in found("ModelPackage", "ModelPackageGroupName", unique)]
    assert sorted(versions) == [1, 2]
    for resource, status in (("ModelPackageGroup", "Completed"), ("ModelCard", "Draft")):
        assert [one[f"{resource}Status"] for one in found(resource, f"{resource}Name", unique)] == [status]
    (group,) = found("FeatureGroup", "FeatureGroupName", unique)
    assert group["FeatureDefinitions"][0] == feature


DOCUMENT = {
    "Name": "abc",
    "Count": 3,
    "Flag": True,
    "CreationTime": 1_767_225_600.0,
    "Tags": [{"Key": "a.b", "Value": "c"}],
    "FinalMetricDataList": [{"MetricName": "validation:rmse", "Value": 0.25}],
    "InputDataConfig": [{"ChannelName": "train", "ContentType": "x"}, {"ChannelName": "test", "ContentType": "y"}],
}


@pytest.mark.parametrize(
    ("name", "operator", "value", "expected"),
    [
        ("Name", "Equals", "abc", True),
        ("Name", "Equals", "ab", False),
        ("Name", "NotEquals", "ab", True),
        ("Name", "Contains", "b", True),
        ("Count", "Equals", "3.0", True),
        ("Count", "LessThan", "10", True),
        ("Count", "GreaterThanOrEqualTo", "4", False),
        ("Flag", "Equals", "true", True),
        ("CreationTime", "GreaterThan", "2025-12-31T23:59:59Z", True),
        ("CreationTime", "LessThanOrEqualTo", "2025-12-31", False),
        ("Tags.a.b", "Equals", "c", True),
        ("Tags.a", "Exists", "", False),
        ("Metrics.validation:rmse", "LessThan", "0.3", True),
        ("Nothing", "NotExists", "", True),
        ("InputDataConfig.ChannelName", "Equals", "test", True),
    ],
)
def test_filters(name, operator, value, expected):
    assert matches(DOCUMENT, {"Filters": [{"Name": name, "Operator": operator, "Value": value}]}) is expected


def test_expressions_of_expressions():
    yes, no = {"Name": "Name", "Value": "abc"}, {"Name": "Name", "Value": "x"}
    assert not matches(DOCUMENT, {"Filters": [yes, no]})
    assert matches(DOCUMENT, {"Filters": [yes, no], "Operator": "Or"})
    assert matches(DOCUMENT, {"Filters": [yes], "SubExpressions": [{"Filters": [no, yes], "Operator": "Or"}]})
    assert matches(DOCUMENT, {})
    for content, expected in (("x", True), ("y", False)):
        pairs = (("ChannelName", "train"), ("ContentType", content))
        filters = [{"Name": f"InputDataConfig.{name}", "Value": value} for name, value in pairs]
        nested = {"NestedPropertyName": "InputDataConfig", "Filters": filters}
        assert matches(DOCUMENT, {"NestedFilters": [nested]}) is expected
