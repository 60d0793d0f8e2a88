"""Tags of resources that moto stores."""

from __future__ import annotations


def test_a_tag_that_is_set_again_has_its_new_value_only(endpoint, unique):
    sagemaker = endpoint.client("sagemaker")
    arn = sagemaker.create_model(
        ModelName=unique,
        ExecutionRoleArn="arn:aws:iam::123456789012:role/r",
        PrimaryContainer={"Image": "i"},
        Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "1"}],
    )["ModelArn"]
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "2"}, {"Key": "c", "Value": "1"}])
    tags = {tag["Key"]: tag["Value"] for tag in sagemaker.list_tags(ResourceArn=arn)["Tags"]}
    assert len(sagemaker.list_tags(ResourceArn=arn)["Tags"]) == 3
    assert tags == {"a": "2", "b": "1", "c": "1"}
