"""Descriptions and parameters of single features."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def sagemaker(endpoint):
    return endpoint.client("sagemaker")


def create(sagemaker, name):
    return sagemaker.create_feature_group(
        FeatureGroupName=name,
        RecordIdentifierFeatureName="id",
        EventTimeFeatureName="at",
        FeatureDefinitions=[{"FeatureName": each, "FeatureType": "String"} for each in ("id", "at")],
        OnlineStoreConfig={"EnableOnlineStore": True},
    )["FeatureGroupArn"]


def test_a_feature_has_a_description_and_parameters(sagemaker, unique):
    arn = create(sagemaker, unique)
    feature = {"FeatureGroupName": unique, "FeatureName": "id"}
    described = sagemaker.describe_feature_metadata(**feature)
    assert (described["FeatureGroupArn"], described["FeatureType"]) == (arn, "String")
    assert "Description" not in described
    sagemaker.update_feature_metadata(
        **feature, Description="who", ParameterAdditions=[{"Key": key, "Value": "1"} for key in ("team", "source")]
    )
    sagemaker.update_feature_metadata(
        FeatureGroupName=arn,
        FeatureName="id",
        ParameterAdditions=[{"Key": "team", "Value": "2"}],
        ParameterRemovals=["source"],
    )
    changed = sagemaker.describe_feature_metadata(**feature)
    assert (changed["Description"], changed["Parameters"]) == ("who", [{"Key": "team", "Value": "2"}])
    assert changed["LastModifiedTime"] > described["LastModifiedTime"]
    assert "Parameters" not in sagemaker.describe_feature_metadata(**{**feature, "FeatureName": "at"})


def test_a_group_that_is_made_again_knows_nothing_of_it(sagemaker, unique, eventually):
    create(sagemaker, unique)
    feature = {"FeatureGroupName": unique, "FeatureName": "id"}
    sagemaker.update_feature_metadata(**feature, Description="who")
    sagemaker.delete_feature_group(FeatureGroupName=unique)
    eventually(lambda: unique not in str(sagemaker.list_feature_groups(NameContains=unique)["FeatureGroupSummaries"]))
    create(sagemaker, unique)
    assert "Description" not in sagemaker.describe_feature_metadata(**feature)


@pytest.mark.parametrize("feature", ["id", "other"])
def test_what_is_not_there_is_refused(sagemaker, unique, feature):
    if feature == "other":
        create(sagemaker, unique)
    for call in (sagemaker.describe_feature_metadata, sagemaker.update_feature_metadata):
        with pytest.raises(ClientError, match="does not exist") as refused:
            call(FeatureGroupName=unique, FeatureName=feature)
        assert refused.value.response["Error"]["Code"] == "ResourceNotFound"
